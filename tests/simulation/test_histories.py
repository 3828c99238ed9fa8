"""Histories of a whole server in virtual time, and bugs that they must find.

They run in a process of their own, with the order of sets fixed: a seed is the same everywhere.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.simulation.planted_bugs import BUGS

TESTS = Path(__file__).parents[1]
SEEDS = 3
SEEDS_FOR_A_BUG = 4  # its plot makes sure of it
FOUND_QUICKLY = ("results_count_twice", "results_are_not_put_in_order", "duplicates_get_one_key")


def simulate(*arguments: str) -> subprocess.CompletedProcess[str]:
    # What coverage or the caller set for Python is of no concern to the history.
    environment = {
        "PATH": os.environ["PATH"],  # noqa: TID251  # of the interpreter's own libraries
        "HOME": os.environ.get("HOME", "/"),  # noqa: TID251
        "PYTHONHASHSEED": "0",
        "PYTHONPATH": str(TESTS),
    }
    return subprocess.run(
        [sys.executable, "-m", "support.simulation.simulate", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_what_must_hold_does_in_every_history() -> None:
    done = simulate("--seeds", str(SEEDS))
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_must_hold_does_with_two_processes_of_which_one_is_killed_at_a_time() -> None:
    done = simulate("--seeds", str(SEEDS), "--processes", "2")
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_must_hold_does_where_batches_have_answers_of_others() -> None:
    done = simulate("--seeds", str(SEEDS), "--again", "0.3")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_seed_is_the_same_history_twice() -> None:
    first, second = simulate("--seed", "5"), simulate("--seed", "5")
    assert first.stdout == second.stdout
    assert "killed" in first.stdout


@pytest.mark.parametrize("bug", FOUND_QUICKLY)
def test_a_planted_bug_is_found(bug: str) -> None:
    done = simulate("--seeds", str(SEEDS_FOR_A_BUG), "--bug", bug)
    assert done.returncode == 1, f"no history found {bug}"
    assert "make simulate SEED=" in done.stdout


@pytest.mark.system
@pytest.mark.parametrize("bug", sorted(BUGS.keys() - set(FOUND_QUICKLY)))
def test_every_planted_bug_is_found(bug: str) -> None:
    done = simulate("--seeds", str(SEEDS_FOR_A_BUG), "--bug", bug)
    assert done.returncode == 1, f"no history found {bug}"
