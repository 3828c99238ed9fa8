"""The folder of a run that is not done."""

from pathlib import Path

import pytest

from toplu.errors import ConfigurationError
from toplu.oneshot.run_folder import hold


def test_a_run_is_held_by_one_process(tmp_path: Path) -> None:
    with hold(tmp_path / "runs", "one"), hold(tmp_path / "runs", "two"):
        second = hold(tmp_path / "runs", "one")
        with pytest.raises(ConfigurationError, match="another process is at the same run"):
            second.__enter__()
    with hold(tmp_path / "runs", "one"):
        pass


def test_the_batch_has_a_name_from_before_it_is_made(tmp_path: Path) -> None:
    with hold(tmp_path / "runs", "one") as folder:
        assert folder.batch is None
        name = folder.name_batch()
    with hold(tmp_path / "runs", "one") as folder, hold(tmp_path / "runs", "two") as other:
        assert folder.batch == name
        assert other.name_batch() != name


def test_a_note_that_was_cut_off_names_nothing(tmp_path: Path) -> None:
    with hold(tmp_path / "runs", "one") as folder:
        (folder.path / "run.json").write_text('{"batch": "to')
        assert folder.batch is None


def test_what_is_done_goes_and_leaves_what_others_have(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    with hold(runs, "one") as first, hold(runs, "two") as second:
        first.remove()
        assert [path.name for path in runs.iterdir()] == ["two"]
        second.remove()
        assert not runs.exists()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    held = hold(tmp_path / "file" / "runs", "one")
    with pytest.raises(ConfigurationError, match=r"Not a directory; name another .*--run-dir"):
        held.__enter__()
