"""The lives of workers: a lock that ends with its process, however that ends."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from support.waiting import PATIENCE_SECONDS
from toplu.store.worker_lives import WorkerLives, new_prefix_folder

WORKER = """
import sys, time
from pathlib import Path
from toplu.store.worker_lives import WorkerLives

lives = WorkerLives(Path(sys.argv[1]) / "workers", Path(sys.argv[1]) / "prefixes")
with lives.hold("one"):
    print("lives", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def lives(tmp_path: Path) -> WorkerLives:
    return WorkerLives(tmp_path / "workers", tmp_path / "prefixes")


def test_a_worker_lives_from_its_beginning_to_its_end(lives: WorkerLives) -> None:
    assert not lives.lives("one")
    assert lives.known() == set()
    with lives.hold("one"):
        kept = new_prefix_folder(lives.prefixes_of("one") / "echo") / "prefix"
        kept.touch()
        assert lives.lives("one")
        assert lives.known() == {"one"}
    assert not kept.exists()
    assert not lives.lives("one")
    assert lives.known() == set()


def test_a_worker_that_is_killed_is_dead_and_leaves_its_file(
    lives: WorkerLives, tmp_path: Path
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WORKER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"lives\n"
        assert lives.lives("one")
        os.kill(process.pid, signal.SIGKILL)
        process.wait(PATIENCE_SECONDS)
    assert not lives.lives("one")
    assert lives.known() == {"one"}
    lives.forget("one")
    assert lives.known() == set()


def test_a_worker_whose_file_is_removed_as_it_begins_makes_another(
    lives: WorkerLives, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = Path.open

    def open_and_lose(path: Path, mode: str = "r") -> object:
        file = opened(path, mode)
        monkeypatch.setattr(Path, "open", opened)
        path.unlink()
        return file

    monkeypatch.setattr(Path, "open", open_and_lose)
    with lives.hold("one"):
        assert (tmp_path / "workers" / "one").exists()
        assert lives.lives("one")


def test_a_folder_for_prefixes_is_empty(tmp_path: Path) -> None:
    folder = new_prefix_folder(tmp_path / "prefixes" / "one" / "echo")
    (folder / "old").touch()
    assert list(new_prefix_folder(folder).iterdir()) == []
