"""The built wheel works in an environment where nothing else is: not even pip."""

import subprocess
import sys
from pathlib import Path

import pytest

from support.server import clean_environment

ROOT = Path(__file__).parents[2]
UV = Path(sys.executable).with_name("uv")
INSTALL_SECONDS_MAX = 600


def run(*command: str | Path, environment: dict[str, str] | None = None) -> str:
    ended = subprocess.run(
        [str(word) for word in command],
        env=clean_environment() | (environment or {}),
        capture_output=True,
        text=True,
        timeout=INSTALL_SECONDS_MAX,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@pytest.mark.system
@pytest.mark.model
def test_a_fresh_environment_fetches_the_model_and_answers_a_batch(tmp_path: Path) -> None:
    run(UV, "build", "--wheel", "--out-dir", tmp_path, ROOT)
    (wheel,) = tmp_path.glob("toplu-*.whl")
    python = tmp_path / "env" / "bin" / "python"
    run(UV, "venv", "--python", sys.executable, tmp_path / "env")
    locked = ("--constraints", ROOT / "requirements.lock")
    run(UV, "pip", "install", "--python", python, *locked, wheel, "google-genai")
    assert not python.with_name("pip").exists()

    models = tmp_path / "models"
    bare = {"TOPLU_MODEL_DIR": str(models), "PATH": "/usr/bin:/bin"}
    output = run(python, ROOT / "examples" / "demo.py", environment=bare)
    assert "12 requests, 12 answered, 0 failed" in output
    assert list(models.rglob("*.gguf"))
