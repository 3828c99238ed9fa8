"""A worker's door on a network, plain and by TLS: who has the secret comes in, nobody else."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from support.webhooks.certificates import make_certificate
from toplu.api.doors.cluster import ClusterKeys
from toplu.api.doors.forwarded_call import DoorClosed
from toplu.api.doors.socket_door import SocketDoor
from toplu.serving.http import HttpServer
from toplu.serving.sockets.door import config_of, open_door
from toplu.settings.cluster import ClusterSettings
from toplu.settings.server import Settings

SCOPE: Scope = {
    "type": "http",
    "method": "POST",
    "path": "/x",
    "raw_path": b"/x",
    "query_string": b"",
    "headers": [(b"x-toplu-project", b"alpha")],
}


@pytest.fixture(params=["http", "https"])
def cluster(request: pytest.FixtureRequest, tmp_path: Path) -> ClusterSettings:
    (tmp_path / "secret").write_text("s" * 40)
    files: dict[str, Path] = {}
    if request.param == "https":
        authority, _ = make_certificate(tmp_path)
        files = {
            "certificate_file": authority,
            "key_file": tmp_path / "key.pem",
            "ca_file": authority,
        }
    return ClusterSettings(door="127.0.0.1:0", secret_file=tmp_path / "secret", **files)


@asynccontextmanager
async def served(cluster: ClusterSettings, seen: list[Scope]) -> AsyncIterator[str]:
    """Yield the address of a door behind which an application answers."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope)
        body = (await receive())["body"]
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body + b"!"})

    settings = Settings(cluster=cluster)
    with open_door(settings, "worker") as door:
        http = HttpServer(config_of(app, settings))
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(http.serve(sockets=[door.listener]))
            await http.listening.wait()
            yield door.address
            http.should_exit = http.force_exit = True


async def asked(address: str, keys: ClusterKeys | None) -> bytes:
    sent: list[dict[str, Any]] = []

    async def receive() -> Any:
        if not sent and not told:
            told.append(True)
            return {"type": "http.request", "body": b"asked", "more_body": False}
        await asyncio.Event().wait()
        raise AssertionError("nobody sets it")

    async def send(message: Any) -> None:
        sent.append(message)

    told: list[bool] = []
    door = SocketDoor(address, keys)
    try:
        await door(SCOPE, receive, send)
    finally:
        await door.close()
    return b"".join(message.get("body", b"") for message in sent)


async def test_a_process_of_the_cluster_comes_in(cluster: ClusterSettings) -> None:
    seen: list[Scope] = []
    async with served(cluster, seen) as address:
        assert await asked(address, ClusterKeys.of(cluster)) == b"asked!"
        scheme = "http" if cluster.certificate_file is None else "https"
        assert address.startswith(f"{scheme}://127.0.0.1:")
    assert dict(seen[0]["headers"])[b"x-toplu-project"] == b"alpha"


async def test_nobody_else_does(cluster: ClusterSettings, tmp_path: Path) -> None:
    (tmp_path / "other").write_text("t" * 40)
    other = ClusterKeys.of(ClusterSettings(secret_file=tmp_path / "other", ca_file=cluster.ca_file))
    seen: list[Scope] = []
    async with served(cluster, seen) as address:
        for keys in (None, other):
            with pytest.raises(DoorClosed):
                await asked(address, keys)
    assert seen == []


async def test_a_door_whose_certificate_nobody_signed_is_not_asked(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s" * 40)
    authority, _ = make_certificate(tmp_path)
    door = ClusterSettings(
        door="127.0.0.1:0",
        secret_file=tmp_path / "secret",
        certificate_file=authority,
        key_file=tmp_path / "key.pem",
    )
    seen: list[Scope] = []
    async with served(door, seen) as address:
        with pytest.raises(DoorClosed):
            await asked(address, ClusterKeys.of(door))
    assert seen == []
