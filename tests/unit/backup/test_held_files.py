"""Files of a data folder keep a second name for as long as a backup goes on."""

from pathlib import Path

import pytest

from toplu.backup.held_files import held_files
from toplu.store.data_folder import DataFolder


@pytest.fixture
def data(tmp_path: Path) -> DataFolder:
    data = DataFolder(tmp_path / "data")
    for folder in (data.blobs / "jobs" / "one", data.results, data.blobs / ".unfinished"):
        folder.mkdir(parents=True)
    (data.blobs / "jobs" / "one" / "input.jsonl").write_text("lines")
    (data.blobs / ".unfinished" / "half").write_text("ha")
    return data


def test_what_is_removed_meanwhile_is_there_still(data: DataFolder) -> None:
    path = data.blobs / "jobs" / "one" / "input.jsonl"
    with held_files(data) as held:
        held.hold()
        path.unlink()
        (data.results / "late.log").write_text("late")
        assert held.find("results/late.log") is None
        held.hold()
        found = held.find("blobs/jobs/one/input.jsonl")
        assert found is not None
        assert found.read_text() == "lines"
        assert held.find("results/late.log") is not None
        assert held.below("blobs/jobs") == ["blobs/jobs/one/input.jsonl"]
        assert held.below("blobs") == ["blobs/jobs/one/input.jsonl"]
    assert not list(data.root.glob(".backup-*"))


def test_what_a_killed_backup_left_goes_at_the_next_one_and_a_living_one_stays(
    data: DataFolder,
) -> None:
    left = data.root / ".backup-killed"
    left.mkdir()
    (left / "lock").touch()
    with held_files(data):
        assert not left.exists()
        (living,) = data.root.glob(".backup-*")
        with held_files(data):
            assert living.exists()
