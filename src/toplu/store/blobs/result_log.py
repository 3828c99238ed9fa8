"""Results as they come, appended to one file for each lease of a shard.

    record:  length u32 │ crc32 u32 │ index u32 │ outcome u8 │ tokens u32, u32, u32 │ payload

All little endian. The outcome is 0 for an error, 1 for a response, 2 for the response to another
request that asked the same; with 4 added, the payload begins with three further u32. The tokens are
those of the prompt, those of them that were cached, and those of the output, and the further ones
are what of them was discarded: to count results is to count what they used with them. The rest is
one output line without its newline; the checksum covers everything else in the record. Each lease
has a file of its own, so a stale worker cannot touch another's results. After a kill -9 the end of
a file may be torn: reading stops there, and what was committed lies before it. What is no
coroutine here blocks; callers run it in a thread.
"""

import asyncio
import os
import re
import struct
import zlib
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import msgspec

from toplu.job import JobId
from toplu.labels import Labels
from toplu.money import NO_TOKENS, TOKENS, Usage
from toplu.store.blobs.folders import remove_tree, sync_folder

HEADER = struct.Struct("<IIIBIII")
ERROR, RESPONSE, COPY = range(3)
WITH_DISCARDED = 4
DISCARDED = struct.Struct("<III")  # before the line, where the outcome says so
CHECKED = struct.Struct("<IIBIII")  # the header without the checksum itself
JOB_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One request's outcome."""

    index: int  # of the request within its job
    succeeded: bool
    payload: bytes  # the output line, without a newline
    usage: Usage = NO_TOKENS  # of an error, and of what was not computed for this request
    is_copy: bool = False  # the response to another request that asked the same
    labels: Labels | None = None  # of the request; the log does not have them, its line does


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One lease's file, and up to where its content counts."""

    job: JobId
    shard: int
    epoch: int
    committed_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Addition:
    """Records of one lease, behind the first `at` bytes of what it has."""

    job: JobId
    shard: int
    epoch: int
    at: int
    records: Sequence[Record]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """The place of a record's payload in its file."""

    index: int
    succeeded: bool
    offset: int
    length: int
    usage: Usage
    is_copy: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """The whole records of a file, in the order in which they were written."""

    entries: list[Entry]
    valid_bytes: int
    damaged_bytes: int  # after the last whole record, within what was asked for


class ResultLog:
    """The files under one folder: `<job>/<shard>-<epoch>.log`."""

    def __init__(self, root: Path) -> None:
        self._root = root

    async def append_all(self, additions: Sequence[Addition]) -> list[int | Exception]:
        return await asyncio.to_thread(lambda: list(map(self._try_append, additions)))

    def _try_append(self, it: Addition) -> int | Exception:
        try:
            return self.append(it.job, it.shard, it.epoch, it.records, at=it.at)
        except Exception as fault:  # noqa: BLE001  # the caller's, who has others to write
            return fault

    @asynccontextmanager
    async def counted(self, _: JobId, __: Sequence[Segment]) -> AsyncIterator["ResultLog"]:
        yield self

    @asynccontextmanager
    async def earlier(self, _: JobId, __: int, ___: int) -> AsyncIterator["ResultLog"]:
        yield self

    def append(
        self, job: JobId, shard: int, epoch: int, records: Sequence[Record], *, at: int
    ) -> int:
        """Write the records behind the first `at` bytes; return where they end, once durable.

        What lies behind `at` is the rest of an append that failed, and is cut off. If this one
        fails, the first `at` bytes stand and it may be tried again.
        """
        path = self._path(job, shard, epoch)
        data = packed(records)
        is_first = at == 0
        with self._open_for_append(path, is_first=is_first) as file:
            size_bytes = os.fstat(file.fileno()).st_size
            assert size_bytes >= at, "committed results are never cut off"
            if size_bytes > at:
                os.ftruncate(file.fileno(), at)
            try:
                _write_all(file, data)
                os.fdatasync(file.fileno())
            except OSError:
                # Half a record would hide what is appended behind it.
                os.ftruncate(file.fileno(), at)
                raise
        if is_first:
            # Behind the content: to sync that has most often made the names durable with it.
            sync_folder(path.parent)
            sync_folder(self._root)
        return at + len(data)

    def make_folder(self, job: JobId) -> None:
        """Make room for files of the job that are put together by `put_bytes`."""
        self._folder(job).mkdir(parents=True, exist_ok=True)

    def put_bytes(self, job: JobId, shard: int, epoch: int, at: int, data: bytes) -> None:
        """Put down bytes of a segment that are durable elsewhere."""
        descriptor = os.open(self._path(job, shard, epoch), os.O_WRONLY | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.seek(at)
            file.write(data)

    def scan(self, job: JobId, shard: int, epoch: int, limit_bytes: int | None = None) -> Scan:
        """Return the whole records among the first `limit_bytes`, up to the first damaged one."""
        try:
            with self._path(job, shard, epoch).open("rb") as file:
                size_bytes = os.fstat(file.fileno()).st_size
                if limit_bytes is not None:
                    size_bytes = min(size_bytes, limit_bytes)
                entries = list(_entries(file, size_bytes))
        except FileNotFoundError:
            entries, size_bytes = [], 0
        valid_bytes = entries[-1].offset + entries[-1].length if entries else 0
        return Scan(
            entries=entries, valid_bytes=valid_bytes, damaged_bytes=size_bytes - valid_bytes
        )

    def read(self, job: JobId, shard: int, epoch: int, offset: int, length: int) -> bytes:
        """Return the payload of an entry that a scan found."""
        with self._path(job, shard, epoch).open("rb", buffering=0) as file:
            payload = os.pread(file.fileno(), length, offset)
        assert len(payload) == length, "a scanned record is there as a whole"
        return payload

    def read_payloads(
        self, job: JobId, shard: int, epoch: int, pieces: Iterable[tuple[int, int]]
    ) -> Iterator[bytes]:
        """Yield the payloads of entries that a scan found, each given as (offset, length)."""
        with self._path(job, shard, epoch).open("rb", buffering=0) as file:
            for offset, length in pieces:
                payload = os.pread(file.fileno(), length, offset)
                assert len(payload) == length, "a scanned record is there as a whole"
                yield payload

    def records_behind(self, segment: Segment, at: int) -> Iterator[tuple[int, bytes, int]]:
        """Yield the index of each request and its line, with the place behind the record.

        They are those of the part that counts, from the place `at` on; FileNotFoundError: gone.
        """
        with self._path(segment.job, segment.shard, segment.epoch).open("rb") as file:
            file.seek(at)
            for entry in _entries(file, segment.committed_bytes, at):
                end = entry.offset + entry.length
                file.seek(entry.offset)
                yield entry.index, file.read(entry.length), end

    async def snapshot(self, job: JobId, segments: Sequence[Segment], folder: Path) -> "ResultLog":
        return await asyncio.to_thread(self._snapshot, job, segments, folder)

    def _snapshot(self, job: JobId, segments: Sequence[Segment], folder: Path) -> "ResultLog":
        snapshot = ResultLog(folder)
        snapshot._folder(job).mkdir(parents=True)
        for segment in segments:
            place = (job, segment.shard, segment.epoch)
            snapshot._path(*place).hardlink_to(self._path(*place))
        return snapshot

    async def jobs(self) -> list[JobId]:
        return await asyncio.to_thread(self._jobs)

    def _jobs(self) -> list[JobId]:
        try:
            return [JobId(entry.name) for entry in os.scandir(self._root) if entry.is_dir()]
        except FileNotFoundError:
            return []

    async def delete_job(self, job: JobId) -> None:
        await asyncio.to_thread(remove_tree, self._folder(job))

    def _open_for_append(self, path: Path, *, is_first: bool) -> BinaryIO:
        if is_first:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        return path.open("r+b", buffering=0)

    def _folder(self, job: JobId) -> Path:
        assert JOB_NAME.fullmatch(job), "job ids are ours and safe as file names"
        return self._root / job

    def _path(self, job: JobId, shard: int, epoch: int) -> Path:
        return self._folder(job) / f"{shard}-{epoch}.log"


def packed(records: Iterable[Record]) -> bytes:
    """Return the records as they stand in the log."""
    return b"".join(_pack(record) for record in records)


def _pack(record: Record) -> bytes:
    used, payload = record.usage, record.payload
    tokens = (used.prompt_tokens, used.cached_tokens, used.output_tokens)
    discarded = (
        used.discarded_prompt_tokens,
        used.discarded_cached_tokens,
        used.discarded_output_tokens,
    )
    outcome = (COPY if record.is_copy else RESPONSE) if record.succeeded else ERROR
    if any(discarded):
        outcome += WITH_DISCARDED
        payload = DISCARDED.pack(*discarded) + payload
    checked = CHECKED.pack(len(payload), record.index, outcome, *tokens)
    header = HEADER.pack(len(payload), _checksum(checked, payload), record.index, outcome, *tokens)
    return header + payload


def _checksum(checked: bytes, payload: bytes) -> int:
    return zlib.crc32(payload, zlib.crc32(checked))


def _entries(file: BinaryIO, size_bytes: int, position: int = 0) -> Iterator[Entry]:
    while position + HEADER.size <= size_bytes:
        header = file.read(HEADER.size)
        if len(header) < HEADER.size:
            return
        length, checksum, index, outcome, *tokens = HEADER.unpack(header)
        offset = position + HEADER.size
        # Checked before reading: a damaged length may claim gigabytes.
        if offset + length > size_bytes:
            return
        payload = file.read(length)
        checked = CHECKED.pack(length, index, outcome, *tokens)
        if len(payload) < length or _checksum(checked, payload) != checksum:
            return
        further = DISCARDED.size if outcome & WITH_DISCARDED else 0
        if further:
            tokens += DISCARDED.unpack_from(payload)
        yield Entry(
            index=index,
            succeeded=outcome & ~WITH_DISCARDED != ERROR,
            offset=offset + further,
            length=length - further,
            usage=Usage(**dict(zip(TOKENS, tokens, strict=False))),
            is_copy=outcome & ~WITH_DISCARDED == COPY,
        )
        position = offset + length


def _write_all(file: BinaryIO, data: bytes) -> None:
    file.seek(0, os.SEEK_END)
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]
