"""Benchmarks are run by hand, so that this alone notices when a change has broken one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.waiting import PATIENCE_SECONDS

ROOT = Path(__file__).parents[2]


def run_benchmarks(*arguments: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "run.py"), *arguments],
        env={"PYTHONPATH": str(ROOT / "tests"), "PATH": os.defpath, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


def figures_of(printed: str) -> dict[str, float]:
    """Return the figures by name, of one benchmark."""
    words = [line.split() for line in printed.splitlines()]
    return {
        line[1]: float(line[2])
        for line in words
        if len(line) > 2 and line[0].startswith("B") and line[2].replace(".", "").isdigit()
    }


def test_every_benchmark_can_be_loaded() -> None:
    names = {line.split()[0] for line in run_benchmarks("--list", "--size", "full").splitlines()}
    assert names >= {f"B{number}" for number in (*range(1, 12), 14, 15)}


def test_the_selection_leaves_out_what_takes_long() -> None:
    names = {line.split()[0] for line in run_benchmarks("--list").splitlines()}
    assert "B2" in names
    assert "B3" not in names


def test_a_figure_stands_beside_its_target() -> None:
    printed = run_benchmarks("--size", "tiny", "B7")
    (line,) = (line for line in printed.splitlines() if "worst_share_of_the_best" in line)
    assert line.split()[-3:] == ["≥", "0.95", "hit"]


@pytest.mark.model
@pytest.mark.system
def test_what_the_questions_of_the_sample_share_is_read_about_once() -> None:
    figures = figures_of(run_benchmarks("--size", "tiny", "B2", HOME=str(Path.home())))
    assert figures["toplu_sample_4_lanes"] >= 0.95
