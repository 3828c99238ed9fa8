"""Nobody else on the machine reads what a server keeps, whatever the umask, and since when."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.jobs import create_job, question, results_of, send_chunk, start_upload
from support.model_tables import echo_model
from support.server import Server, started_server

pytestmark = pytest.mark.system


@pytest.fixture(autouse=True)
def open_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def rights_of_others(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): stat.filemode(path.stat().st_mode)
        for path in (folder, *folder.rglob("*"))
        if path.stat().st_mode & 0o077
    }


def leave_something_of_each_kind(server: Server) -> None:
    results_of(server, create_job(server, [question(index) for index in range(3)]))
    send_chunk(server, start_upload(server, 10), 0, b"half", "upload")
    cache = {"contents": [{"role": "user", "parts": [{"text": "kept " * 40}]}]}
    reply = server.call(
        "POST", "/v1beta/cachedContents", cache | {"model": "models/gemini-2.5-flash"}
    )
    assert reply.status == 200, reply.body


def test_what_a_server_writes_is_its_owner_s_alone(tmp_path: Path) -> None:
    with started_server(tmp_path, config=echo_model()) as server:
        leave_something_of_each_kind(server)
        names = {path.name for path in server.data_dir.rglob("*")}
        assert {"toplu.db", "toplu.db-wal", "server.lock", "blobs", "results", "uploads"} <= names
        assert rights_of_others(server.data_dir) == {}
        server.stop()
        assert rights_of_others(server.data_dir) == {}


def test_what_an_older_version_left_open_is_closed_at_the_start(tmp_path: Path) -> None:
    with started_server(tmp_path, config=echo_model()) as server:
        leave_something_of_each_kind(server)
        server.stop()
        for path in (server.data_dir, *server.data_dir.rglob("*")):
            path.chmod(0o777 if path.is_dir() else 0o644)
        outside = tmp_path / "outside"
        outside.touch(0o644)
        (server.data_dir / "link").symlink_to(outside)
        server.start()
        (server.data_dir / "link").unlink()
        assert rights_of_others(server.data_dir) == {}
        assert stat.S_IMODE(outside.stat().st_mode) == 0o644
