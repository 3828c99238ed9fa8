"""Benchmarks are run by hand, so that this alone tells when a change has broken one."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_benchmark_can_be_loaded() -> None:
    paths = os.pathsep.join(str(ROOT / place) for place in ("tests", "tests/simulation"))
    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "run.py"), "no benchmark has this name"],
        env={"PYTHONPATH": paths, "PATH": os.defpath},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
