"""Results as they come, appended to one file for each lease of a shard.

Each lease has a file of its own, so a stale worker cannot touch another's results. After a kill -9
the end of a file may be torn: reading stops there, and what was committed lies before it. What is
no coroutine here blocks; callers run it in a thread.
"""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from toplu.job import JobId
from toplu.store.blobs.folders import remove_tree, sync_folder
from toplu.store.blobs.records import Entry, Record, packed, read_entries

JOB_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


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
class Scan:
    """The whole records of a file, in the order in which they were written."""

    entries: list[Entry]
    valid_bytes: int
    damaged_bytes: int  # after the last whole record, within what was asked for


class ResultLog:
    """The files under one folder: `<job>/<shard>-<epoch>.log`."""

    def __init__(self, root: Path) -> None:
        self.root = root

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
            sync_folder(self.root)
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
                entries = list(read_entries(file, size_bytes))
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
            for entry in read_entries(file, segment.committed_bytes, at):
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
            return [JobId(entry.name) for entry in os.scandir(self.root) if entry.is_dir()]
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
        return self.root / job

    def _path(self, job: JobId, shard: int, epoch: int) -> Path:
        return self._folder(job) / f"{shard}-{epoch}.log"


def _write_all(file: BinaryIO, data: bytes) -> None:
    file.seek(0, os.SEEK_END)
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]
