"""The calls of the Gemini API that a run makes, of a private or of a running server."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import islice
from pathlib import Path
from typing import Any, Self

import aiohttp

from toplu.errors import ConfigurationError, NotFound, TopluError, Unavailable
from toplu.job import Method
from toplu.wire.gemini.line_splitter import whole_lines

HTTP_OK, HTTP_NOT_FOUND = 200, 404
CALL_SECONDS = 60.0
UPLOAD_SECONDS = 3600.0  # until an upload that has arrived is kept
PAGES_MAX = 100
CHUNK_LINES = 512
PRIVATE_URL = "http://localhost"  # through a socket
PRIVATE_KEY = "private"
CREATE = {Method.GENERATE: "batchGenerateContent", Method.EMBED: "asyncBatchEmbedContent"}

Operation = dict[str, Any]
Validation = dict[str, Any]


class BatchCalls:
    """Calls of one key; one that fails is a TopluError, one that gets no answer Unavailable."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str, key: str, socket: Path | None = None) -> AsyncIterator[Self]:
        """Yield the calls of a server at a URL, or of a private one behind a socket."""
        headers = {"x-goog-api-key": key, "X-Toplu-State-Style": "job"}
        timeout = aiohttp.ClientTimeout(total=None, connect=CALL_SECONDS, sock_read=UPLOAD_SECONDS)
        connector = None if socket is None else aiohttp.UnixConnector(str(socket))
        async with aiohttp.ClientSession(
            headers=headers, timeout=timeout, connector=connector
        ) as session:
            yield cls(session, url.rstrip("/"))

    async def upload(self, name: str, lines: Iterator[bytes]) -> str:
        """Return the name of the file that has the lines; what reading them raises is raised."""
        faults: list[ConfigurationError] = []

        async def chunks() -> AsyncIterator[bytes]:
            try:
                while chunk := await asyncio.to_thread(_chunk_of, lines):
                    yield chunk
            except ConfigurationError as error:
                faults.append(error)
                raise

        headers = {
            "X-Goog-Upload-Protocol": "raw",
            "X-Goog-Upload-File-Name": name,
            "Content-Type": "application/jsonl",
        }
        try:
            async with self._call(
                "POST", "upload/v1beta/files", data=chunks(), headers=headers
            ) as answer:
                return str((await answer.json())["file"]["name"])
        except (TopluError, ConfigurationError):
            if faults:
                raise faults[0] from None
            raise

    async def create(self, model: str, method: Method, file: str, display_name: str) -> Operation:
        """Return the new batch of a file."""
        batch = {"displayName": display_name, "inputConfig": {"fileName": file}}
        path = f"v1beta/models/{model}:{CREATE[method]}"
        operation: Operation = await self._json("POST", path, {"batch": batch})
        return operation

    async def validate(self, model: str, method: Method, file: str) -> Validation:
        """Return what the batch of a file would be; none is made."""
        path = f"v1beta/models/{model}:{CREATE[method]}?validateOnly=true"
        found: Validation = await self._json(
            "POST", path, {"batch": {"inputConfig": {"fileName": file}}}
        )
        return found

    async def find(self, display_name: str) -> Operation | None:
        """Return the newest batch of that display name."""
        token = ""
        for _ in range(PAGES_MAX):
            page = await self._json("GET", f"v1beta/batches?pageSize=100&pageToken={token}")
            for operation in page.get("operations", []):
                if operation["metadata"].get("displayName") == display_name:
                    return dict(operation)
            token = page.get("nextPageToken", "")
            if not token:
                break
        return None

    async def get(self, name: str) -> Operation:
        """Return the batch as it stands."""
        operation: Operation = await self._json("GET", f"v1beta/{name}")
        return operation

    async def cancel(self, name: str) -> None:
        """End the batch; what is done stays."""
        await self._json("POST", f"v1beta/{name}:cancel")

    async def delete(self, name: str) -> None:
        """Remove a batch or a file, if it is there."""
        try:
            await self._json("DELETE", f"v1beta/{name}")
        except NotFound:
            return

    @asynccontextmanager
    async def results(self, name: str) -> AsyncIterator[AsyncIterator[list[bytes]]]:
        """Yield the numbered results so far, in input order, some lines at a time."""
        async with self._call("GET", f"v1beta/{name}:results") as answer:
            yield whole_lines(answer.content.iter_chunked(1024 * 1024))

    async def _json(self, method: str, path: str, body: Any = None) -> Any:
        async with self._call(method, path, json=body) as answer:
            return await answer.json()

    @asynccontextmanager
    async def _call(
        self, method: str, path: str, **more: Any
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        try:
            async with self._session.request(
                method, f"{self._url}/{path}", allow_redirects=False, **more
            ) as answer:
                if answer.status != HTTP_OK:
                    told = _told(await answer.read(), answer.status)
                    raise (NotFound if answer.status == HTTP_NOT_FOUND else TopluError)(told)
                yield answer
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            reason = str(error) or type(error).__name__
            raise Unavailable(f"{self._url} does not answer: {reason}") from error


def _chunk_of(lines: Iterator[bytes]) -> bytes:
    return b"".join(islice(lines, CHUNK_LINES))


def _told(body: bytes, status: int) -> str:
    try:
        return str(json.loads(body)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return f"the server answers with status {status}"
