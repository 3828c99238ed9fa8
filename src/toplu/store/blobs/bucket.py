"""The calls to an S3 bucket, by obstore: a fault of any kind is an OSError as of a broken disk.

    fault ──▶ obstore tries again, for a bounded time ──▶ OSError(EIO): work waits, calls get a 503

What the bucket says is for the operator and is logged; clients are told that it does not answer.
"""

import asyncio
import contextlib
import errno
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from obstore.store import S3Store

log = structlog.get_logger()

CALLS_MAX = 8  # of one task at a time
LISTED_AT_ONCE = 1000
STREAMED_BYTES = 1024 * 1024  # that are yielded at a time
RESUMED_MAX = 5  # times that a stream is asked for again where it broke, without a byte between
REASON_CHARACTERS_MAX = 500
CLOCK = "clock"  # the key of an object that is put to see the time
UNANSWERED = "the bucket does not answer as it should"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """An object, as the bucket lists it."""

    key: str
    size_bytes: int
    modified: datetime  # by the bucket's clock


class Bucket:
    """The objects of one bucket, or below one prefix of it; keys are ours."""

    def __init__(self, store: "S3Store") -> None:
        import obstore

        self._store = store
        self._calls = obstore

    async def put(self, key: str, data: bytes) -> None:
        """Keep the object, in the place of one that has the key."""
        with _faults():
            await self._calls.put_async(self._store, key, data)

    async def create(self, key: str, data: bytes) -> None:
        """Keep an object under a key that is free, or that has these very bytes already.

        That is how a put looks that is repeated because its answer was lost. FileExistsError: the
        key has other bytes.
        """
        try:
            with _faults():
                await self._calls.put_async(self._store, key, data, mode="create")
        except FileExistsError:
            if await self.size(key) != len(data) or await self.read(key, 0, len(data)) != data:
                raise

    async def size(self, key: str) -> int | None:
        """Return the bytes of the object; None: there is none."""
        with contextlib.suppress(FileNotFoundError), _faults():
            return (await self._calls.head_async(self._store, key))["size"]
        # A bucket that is not there has no objects either: only other calls say which it is.
        with contextlib.suppress(FileNotFoundError), _faults():
            return (await self._calls.get_async(self._store, key)).meta["size"]
        return None

    async def read(self, key: str, offset: int, length: int) -> bytes:
        """Return bytes that the object has."""
        if not length:
            return b""
        with _faults():
            data = await self._calls.get_range_async(self._store, key, start=offset, length=length)
        return bytes(data)

    async def read_all(self, key: str) -> bytes:
        """Return all of a small object."""
        with _faults():
            found = await self._calls.get_async(self._store, key)
            return bytes(await found.bytes_async())

    async def read_many(self, key: str, pieces: Sequence[tuple[int, int]]) -> list[bytes]:
        """Return the bytes of each (offset, length); pieces near each other are one call."""
        wanted = [piece for piece in pieces if piece[1]]
        if not wanted:
            return [b""] * len(pieces)
        with _faults():
            read = await self._calls.get_ranges_async(
                self._store,
                key,
                starts=[offset for offset, _ in wanted],
                lengths=[length for _, length in wanted],
            )
        found = iter(read)
        return [bytes(next(found)) if length else b"" for _, length in pieces]

    async def stream(self, key: str, offset: int, length: int) -> AsyncIterator[bytes]:
        """Yield bytes that the object has; a connection that is cut goes on where it was."""
        end, tries = offset + length, 0
        while offset < end:
            try:
                async for piece in self._stream_once(key, offset, end):
                    offset, tries = offset + len(piece), 0
                    yield piece
            except FileNotFoundError:
                raise
            except OSError:
                tries += 1
                if tries > RESUMED_MAX:
                    raise

    async def _stream_once(self, key: str, start: int, end: int) -> AsyncIterator[bytes]:
        with _faults():
            found = await self._calls.get_async(self._store, key, options={"range": (start, end)})
            stream = found.stream(min_chunk_size=STREAMED_BYTES)
        while True:
            with _faults():
                data = await anext(stream, None)
            if data is None:
                return
            whole = memoryview(data)
            for at in range(0, len(whole), STREAMED_BYTES):
                yield bytes(whole[at : at + STREAMED_BYTES])

    async def copy(self, source: str, target: str) -> None:
        """Give the bytes of an object a second key, within the bucket."""
        with _faults():
            await self._calls.copy_async(self._store, source, target)

    async def below(self, folder: str) -> AsyncIterator[Found]:
        """Yield every object whose key begins with `folder/`, in the order of their keys."""
        with _faults():
            listing = aiter(self._calls.list(self._store, folder, chunk_size=LISTED_AT_ONCE))
        while True:
            with _faults():
                some = await anext(listing, None)
            if some is None:
                return
            for it in some:
                yield Found(key=it["path"], size_bytes=it["size"], modified=it["last_modified"])

    async def folders(self, folder: str) -> list[str]:
        """Return the names of the folders directly inside `folder`."""
        with _faults():
            found = await self._calls.list_with_delimiter_async(self._store, folder)
        return [path.rsplit("/", 1)[-1] for path in found["common_prefixes"]]

    async def now(self) -> datetime:
        """Return the time by the bucket's clock, which says how old its objects are."""
        await self.put(CLOCK, b"")
        with _faults():
            found = await self._calls.head_async(self._store, CLOCK)
        return found["last_modified"]

    async def delete(self, keys: Iterable[str]) -> None:
        """Remove objects; idempotent."""
        if keys := list(keys):
            with _faults():
                await self._calls.delete_async(self._store, keys)

    async def delete_below(self, folder: str) -> None:
        """Remove every object whose key begins with `folder/`; idempotent."""
        keys: list[str] = []
        async for found in self.below(folder):
            keys.append(found.key)
            if len(keys) == LISTED_AT_ONCE:
                await self.delete(keys)
                keys = []
        await self.delete(keys)

    def measure(self, key: str) -> tuple[int, int]:
        """Return how many objects have the key, or one that begins with `key/`, and their bytes.

        This and `remove` block.
        """
        sizes = [size_bytes for _, size_bytes in self._of(key)]
        return len(sizes), sum(sizes)

    def remove(self, key: str) -> None:
        """Remove the same objects; idempotent."""
        if keys := [found for found, _ in self._of(key)]:
            with _faults():
                self._calls.delete(self._store, keys)

    def _of(self, key: str) -> list[tuple[str, int]]:
        found = []
        with _faults():
            with contextlib.suppress(FileNotFoundError):
                found.append((key, self._calls.head(self._store, key)["size"]))
            for some in self._calls.list(self._store, key, chunk_size=LISTED_AT_ONCE):
                found += [(it["path"], it["size"]) for it in some]
        return found

    async def copy_all(self, keys: Iterable[tuple[str, str]]) -> None:
        """Copy objects, each from a key to a key, some at a time."""
        left = iter(keys)

        async def some() -> None:
            for source, target in left:
                await self.copy(source, target)

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(CALLS_MAX):
                    group.create_task(some())
        except* OSError as faults:
            raise faults.exceptions[0] from None


@contextlib.contextmanager
def _faults() -> Iterator[None]:
    """Raise what obstore raises as errors of files."""
    from obstore.exceptions import AlreadyExistsError, BaseError

    try:
        yield
    except AlreadyExistsError:
        raise FileExistsError(errno.EEXIST, "there is such an object") from None
    except FileNotFoundError as fault:
        if "NoSuchBucket" in str(fault):
            raise _reported(fault) from None
        raise FileNotFoundError(errno.ENOENT, "there is no such object") from None
    except (BaseError, OSError) as fault:
        raise _reported(fault) from None


def _reported(fault: Exception) -> OSError:
    # Behind it there is how obstore sees it from within.
    reason = " ".join(str(fault).partition("\n\nDebug source")[0].split())
    log.warning("bucket_fault", reason=reason[:REASON_CHARACTERS_MAX])
    return OSError(errno.EIO, UNANSWERED)
