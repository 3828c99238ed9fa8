"""A running server, as the commands on batches call it."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, Self, TypeVar

import typer

from toplu.errors import ConfigurationError, TopluError, Unavailable

if TYPE_CHECKING:
    import aiohttp

KEY_VARIABLES = ("TOPLU_KEY", "GEMINI_API_KEY")  # the first that is set
CALL_SECONDS = 60.0
HTTP_OK = 200
PAGES_MAX = 100
FIELDS = {"batches": "operations"}
PIECE_BYTES = 1024 * 1024

T = TypeVar("T")

UrlOption = Annotated[
    str, typer.Option("--server", "--url", envvar="TOPLU_URL", help="Where the server is.")
]
KeyFileOption = Annotated[
    Path | None, typer.Option(help=f"A file with the API key; else {KEY_VARIABLES[0]} has it.")
]
DEFAULT_URL = "http://127.0.0.1:8765"


@dataclass(frozen=True, slots=True)
class Answer:
    """The headers of an answer and its body, an empty object if it has none."""

    headers: Mapping[str, str]
    body: Any


class Client:
    """Calls with one key; a call that fails is a TopluError in the server's words."""

    def __init__(self, session: "aiohttp.ClientSession", url: str) -> None:
        self._session = session
        self._url = url

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str, key_file: Path | None) -> AsyncIterator[Self]:
        """Yield a client; its key is in no argument, which every user of the machine could read."""
        headers = {"x-goog-api-key": read_key(key_file), "X-Toplu-State-Style": "job"}
        import aiohttp

        # No bound for a whole download, but for each wait in it.
        timeout = aiohttp.ClientTimeout(total=None, connect=CALL_SECONDS, sock_read=CALL_SECONDS)
        async with aiohttp.ClientSession(headers=headers, timeout=timeout) as session:
            yield cls(session, url.rstrip("/"))

    async def call(self, method: str, path: str, body: Any = None) -> Any:
        """Return the answer of a call below `/v1beta/`."""
        async with self._answer(method, path, body) as answer:
            return await answer.json()

    async def all(self, collection: str) -> list[dict[str, Any]]:
        """Return every entry of a list below `/v1beta/`, page by page; a bounded number of them.

        An answer has them under the name of the collection; batches are operations there.
        """
        field = FIELDS.get(collection, collection)
        found: list[dict[str, Any]] = []
        token = ""
        for _ in range(PAGES_MAX):
            page = await self.call("GET", f"{collection}?pageSize=100&pageToken={token}")
            found += page.get(field, [])
            token = page.get("nextPageToken", "")
            if not token:
                break
        return found

    async def exchange(
        self, method: str, path: str, *, headers: Mapping[str, str], **content: Any
    ) -> Answer:
        """Return the answer of a call below `/`, with these headers and `json` or `data`."""
        async with self._ask(method, path, headers=headers, **content) as answer:
            body = await answer.read()
            return Answer(answer.headers, json.loads(body) if body else {})

    @asynccontextmanager
    async def lines(self, path: str) -> "AsyncIterator[aiohttp.ClientResponse]":
        """Yield an answer whose body is still to be read."""
        async with self._answer("GET", path, None) as answer:
            yield answer

    @asynccontextmanager
    async def _answer(
        self, method: str, path: str, body: Any
    ) -> "AsyncIterator[aiohttp.ClientResponse]":
        async with self._ask(method, f"v1beta/{path}", json=body) as answer:
            yield answer

    @asynccontextmanager
    async def _ask(
        self, method: str, path: str, **content: Any
    ) -> "AsyncIterator[aiohttp.ClientResponse]":
        import aiohttp

        try:
            async with self._session.request(
                method, f"{self._url}/{path}", allow_redirects=False, **content
            ) as answer:
                if answer.status != HTTP_OK:
                    raise TopluError(_told(await answer.read(), answer.status))
                yield answer
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            reason = str(error) or type(error).__name__
            raise Unavailable(f"{self._url} does not answer: {reason}") from error


def with_client(url: str, key_file: Path | None, work: Callable[[Client], Awaitable[T]]) -> T:
    """Return what the work with a client of the server returns."""

    async def run() -> T:
        async with Client.open(url, key_file) as client:
            return await work(client)

    return asyncio.run(run())


@contextmanager
def opened(path: Path | None) -> Iterator[BinaryIO]:
    """Give a file to be written as things come, or standard output."""
    if path is None:
        yield sys.stdout.buffer
        return
    try:
        with path.open("wb") as file:
            yield file
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written: {error}") from error


async def pour(answer: "aiohttp.ClientResponse", target: BinaryIO) -> None:
    """Write the body of an answer as it comes."""
    async for piece in answer.content.iter_chunked(PIECE_BYTES):
        target.write(piece)
    target.flush()


async def save(answer: "aiohttp.ClientResponse", path: Path) -> None:
    """Write the body of an answer to a file: under its name it is whole, or not there."""
    part = path.with_name(f"{path.name}.part")
    try:
        with part.open("wb") as file:
            await pour(answer, file)
        part.replace(path)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written: {error}") from error
    finally:
        part.unlink(missing_ok=True)


def read_key(key_file: Path | None) -> str:
    """Return the key in the file or in the environment, or raise ConfigurationError."""
    if key_file is None:
        found = (os.environ.get(name, "") for name in KEY_VARIABLES)  # noqa: TID251  # a setting of clients, not of servers
        key = next(filter(None, found), "")
    else:
        try:
            key = key_file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"{key_file} cannot be read as a key file") from error
    key = key.strip()
    if not key:
        raise ConfigurationError(f"no key: set {KEY_VARIABLES[0]}, or name a file with --key-file")
    if not key.isascii() or not key.isprintable():
        raise ConfigurationError("the key has characters that no key has")
    return key


def _told(body: bytes, status: int) -> str:
    try:
        return str(json.loads(body)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return f"the server answers with status {status}"
