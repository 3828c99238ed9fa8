"""Sockets lie in a folder that only its owner may enter, under a path that is short enough."""

from pathlib import Path

import pytest

from toplu.errors import ConfigurationError
from toplu.serving.sockets import socket_folder as module
from toplu.serving.sockets.socket_folder import socket_folder


def test_it_is_in_the_data_folder_where_the_path_is_short(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATH_BYTES_MAX", len(str(tmp_path)) + 100)
    folder = socket_folder(tmp_path)
    assert folder == tmp_path / "run"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert socket_folder(tmp_path) == folder


def test_it_is_elsewhere_where_the_path_is_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATH_BYTES_MAX", len(str(tmp_path)) + 90)
    monkeypatch.setattr(module.tempfile, "gettempdir", lambda: str(tmp_path))
    first, second = (tmp_path / name / ("x" * 100) for name in ("a", "b"))
    for data in (first, second):
        data.mkdir(parents=True)
    folders = {socket_folder(first), socket_folder(second)}
    assert len(folders) == 2
    assert {folder.parent for folder in folders} == {tmp_path}
    assert socket_folder(first) in folders


def test_it_is_found_where_the_folder_for_temporary_files_has_a_long_path_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = tmp_path / ("x" * 100)
    long.mkdir()
    monkeypatch.setattr(module.tempfile, "gettempdir", lambda: str(long))
    folder = socket_folder(long)
    try:
        assert len(str(folder / ("x" * module.NAME_BYTES_MAX))) <= module.PATH_BYTES_MAX
        assert folder.stat().st_mode & 0o777 == 0o700
        assert socket_folder(long) == folder
    finally:
        folder.rmdir()


def test_a_folder_that_others_may_enter_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PATH_BYTES_MAX", len(str(tmp_path)) + 100)
    (tmp_path / "run").mkdir()
    (tmp_path / "run").chmod(0o755)
    with pytest.raises(ConfigurationError, match="not a folder of this user's alone"):
        socket_folder(tmp_path)
