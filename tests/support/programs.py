"""Programs of others, each with the packages of its own: see `make .clients/ready`."""

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
CLIENTS = ROOT / "tests" / "clients"
PYTHON = ROOT / ".clients" / "bin" / "python"
NODE_MODULES = CLIENTS / "node_modules"
NODE = NODE_MODULES / ".bin" / "node"
PROGRAM_SECONDS_MAX = 300
# No key of whoever runs the tests, and nothing that phones home.
ENVIRONMENT = {"DO_NOT_TRACK": "1", "LITELLM_LOCAL_MODEL_COST_MAP": "True", "NO_COLOR": "1"}


class Programs:
    """Runs programs in their home."""

    def __init__(self, home: Path) -> None:
        self._home = home

    def python(self, name: str, *arguments: str) -> Any:
        """Return what the program of `tests/clients/programs` printed last, read as JSON."""
        return _last_json(self.run(str(PYTHON), str(CLIENTS / "programs" / name), *arguments))

    def node(self, name: str, *arguments: str) -> Any:
        """Return the same of a program for Node.js."""
        script = self._home / name
        script.write_text((CLIENTS / "programs" / name).read_text(encoding="utf-8"))
        modules = self._home / "node_modules"
        if not modules.exists():
            modules.symlink_to(NODE_MODULES)
        return _last_json(self.run(str(NODE), str(script), *arguments))

    def run(self, *command: str, environment: Mapping[str, str] | None = None) -> str:
        """Return what the command printed; it has to end well."""
        done = subprocess.run(
            command,
            cwd=self._home,
            env={
                "PATH": os.defpath,
                "HOME": str(self._home),
                **ENVIRONMENT,
                **(environment or {}),
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PROGRAM_SECONDS_MAX,
            check=False,
        )
        assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
        return done.stdout


def _last_json(output: str) -> Any:
    return json.loads(output.strip().splitlines()[-1])
