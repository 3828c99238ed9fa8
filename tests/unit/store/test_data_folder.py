import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from toplu.errors import ConfigurationError
from toplu.store.data_folder import DataFolder


@pytest.fixture(autouse=True)
def same_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def test_a_folder_with_the_files_of_something_else_is_refused_untouched(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").touch(0o644)
    with pytest.raises(ConfigurationError, match=r"files in it and none of toplu's.*--data-dir"):
        DataFolder(tmp_path).create()
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
    assert (tmp_path / "thesis.txt").stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("name", ["lost+found", ".DS_Store", "toplu.db", "server.lock"])
def test_an_empty_volume_and_a_folder_of_ours_are_taken(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    DataFolder(tmp_path).create()
    assert DataFolder(tmp_path).blobs.is_dir()


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    with pytest.raises(ConfigurationError, match=r"cannot be used.*--data-dir"):
        DataFolder(tmp_path / "data").create()


def test_a_whole_server_has_the_folder_alone_and_parts_of_one_share_it(tmp_path: Path) -> None:
    first, second = DataFolder(tmp_path), DataFolder(tmp_path)
    with first.owned():
        for way in (second.owned, second.shared):
            with pytest.raises(ConfigurationError, match="owned by another server"), way():
                pass
    refused = pytest.raises(ConfigurationError, match="owned by another server")
    with first.shared(), second.shared(), refused, DataFolder(tmp_path).owned():
        pass
    with second.owned():
        pass
