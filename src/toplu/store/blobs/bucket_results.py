"""Results in a bucket: what a worker has of a job at a time is one object, whose name says of what.

    jobs/ID/results/3-1-0-812_7-2-4096-555    shard 3, epoch 1, its bytes from 0 on, 812 of them;
                                              then shard 7, epoch 2, from 4096 on, 555 bytes

The bytes of a lease are those that `ResultLog` would have in its file, cut into the parts of such
objects; rows say how many of them count. Listing the names is enough to find any of them. A put
that seemed to fail may have come: its bytes are given again, with more behind them, so that parts
may overlap and then have the same bytes. Keys are created and never put over: see `Bucket.create`.
"""

import asyncio
import errno
import os
import shutil
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from toplu.job import JobId
from toplu.store.blobs.bucket import CALLS_MAX, Bucket
from toplu.store.blobs.records import packed
from toplu.store.blobs.result_log import Addition, ResultLog, Segment
from toplu.store.blobs.scratch import Scratch

OBJECT_BYTES = 8 * 1024 * 1024  # of an object, but for a group of one shard that is larger
# Of the name in its folder: S3 takes keys of 1,024, but some stores have files of that name.
NAME_CHARACTERS_MAX = 240
Lease = tuple[int, int]  # a shard, and the epoch


@dataclass(frozen=True, slots=True)
class Part:
    """Some of the bytes of a lease."""

    shard: int
    epoch: int
    at: int
    size_bytes: int

    @classmethod
    def of_name(cls, name: str) -> list[Self]:
        """Return the parts of the object of that name, as they lie in it."""
        return [cls(*map(int, each.split("-"))) for each in name.split("_")]

    def __str__(self) -> str:
        return f"{self.shard}-{self.epoch}-{self.at}-{self.size_bytes}"

    @property
    def end(self) -> int:
        return self.at + self.size_bytes


@dataclass(frozen=True, slots=True)
class Stored:
    """A part, and where it lies."""

    part: Part
    key: str
    offset: int


class BucketResults:
    """The results of all jobs; `scratch` is for those that are read."""

    def __init__(self, bucket: Bucket, scratch: Scratch) -> None:
        self._bucket = bucket
        self._scratch = scratch

    async def append_all(self, additions: Sequence[Addition]) -> list[int | Exception]:
        ends: list[int | Exception] = [it.at for it in additions]
        waiting = iter(await asyncio.to_thread(_objects_of, additions))

        async def put_some() -> None:
            for it in waiting:
                try:
                    await self._bucket.create(it.key, bytes(it.data))
                    outcome: dict[int, int | Exception] = {
                        place: part.end for place, part in it.parts.items()
                    }
                except OSError as fault:
                    outcome = dict.fromkeys(it.parts, fault)
                for place, end in outcome.items():
                    ends[place] = end

        async with asyncio.TaskGroup() as group:
            for _ in range(CALLS_MAX):
                group.create_task(put_some())
        return ends

    @asynccontextmanager
    async def counted(self, job: JobId, segments: Sequence[Segment]) -> AsyncIterator[ResultLog]:
        async with self._scratch.workshop() as folder:
            yield await self.snapshot(job, segments, folder / "results")

    @asynccontextmanager
    async def earlier(self, job: JobId, shard: int, epoch: int) -> AsyncIterator[ResultLog]:
        stored = await self._stored(job)
        wanted = {
            lease: _until_gap(parts)
            for lease, parts in stored.items()
            if lease[0] == shard and lease[1] < epoch
        }
        async with self._scratch.workshop() as folder:
            yield await self._fetch(job, stored, wanted, folder / "results")

    async def snapshot(self, job: JobId, segments: Sequence[Segment], folder: Path) -> ResultLog:
        stored = await self._stored(job) if segments else {}
        wanted = {(it.shard, it.epoch): it.committed_bytes for it in segments}
        for lease, committed_bytes in wanted.items():
            if _until_gap(stored.get(lease, ())) < committed_bytes:
                raise FileNotFoundError(f"results of {job}, shard and epoch {lease}")
        return await self._fetch(job, stored, wanted, folder)

    async def jobs(self) -> list[JobId]:
        return []  # results lie beside the other bytes of their job

    async def delete_job(self, job: JobId) -> None:
        await self._bucket.delete_below(folder_of(job))

    async def _stored(self, job: JobId) -> dict[Lease, list[Stored]]:
        """Return what there is of each lease, in the order of its bytes."""
        stored: defaultdict[Lease, list[Stored]] = defaultdict(list)
        async for found in self._bucket.below(folder_of(job)):
            offset = 0
            for part in Part.of_name(found.key.rsplit("/", 1)[-1]):
                stored[part.shard, part.epoch].append(Stored(part, found.key, offset))
                offset += part.size_bytes
        for parts in stored.values():
            parts.sort(key=lambda it: (it.part.at, it.part.end))
        return stored

    async def _fetch(
        self,
        job: JobId,
        stored: dict[Lease, list[Stored]],
        wanted: dict[Lease, int],
        folder: Path,
    ) -> ResultLog:
        """Bring the first bytes of leases into files; each object that has some is read once."""
        await asyncio.to_thread(_check_space, folder, sum(wanted.values()))
        log = ResultLog(folder)
        pieces: defaultdict[str, list[tuple[Stored, int, int]]] = defaultdict(list)
        for lease, until in wanted.items():
            for it, start, end in _covering(stored.get(lease, ()), until):
                pieces[it.key].append((it, start, end))
        await asyncio.to_thread(log.make_folder, job)
        waiting = iter(pieces.items())

        async def fetch_some() -> None:
            for key, of_key in waiting:
                places = [
                    (it.offset + start - it.part.at, end - start) for it, start, end in of_key
                ]
                for (it, start, _), data in zip(
                    of_key, await self._bucket.read_many(key, places), strict=True
                ):
                    await asyncio.to_thread(
                        log.put_bytes, job, it.part.shard, it.part.epoch, start, data
                    )

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(CALLS_MAX):
                    group.create_task(fetch_some())
        except* OSError as faults:
            raise faults.exceptions[0] from None
        return log


@dataclass(slots=True)
class _Object:
    """An object on its way, with the additions that it has parts of, by their place."""

    folder: str
    data: bytearray
    parts: dict[int, Part]

    @property
    def key(self) -> str:
        return f"{self.folder}/{self._name}"

    @property
    def _name(self) -> str:
        return "_".join(map(str, self.parts.values()))

    def has_room(self, folder: str, part: Part) -> bool:
        if folder != self.folder or len(self.data) + part.size_bytes > OBJECT_BYTES:
            return False
        return len(f"{self._name}_{part}") <= NAME_CHARACTERS_MAX


def folder_of(job: JobId) -> str:
    """Return the folder that the results of the job are in."""
    return f"jobs/{job}/results"


def _objects_of(additions: Sequence[Addition]) -> list[_Object]:
    """Return the objects that the additions become, a few for each job; blocking."""
    objects: list[_Object] = []
    for place, it in sorted(enumerate(additions), key=lambda pair: (pair[1].job, pair[1].shard)):
        data = packed(it.records)
        part = Part(it.shard, it.epoch, it.at, len(data))
        folder = folder_of(it.job)
        if not objects or not objects[-1].has_room(folder, part):
            objects.append(_Object(folder, bytearray(), {}))
        objects[-1].data += data
        objects[-1].parts[place] = part
    return objects


def _check_space(folder: Path, size_bytes: int) -> None:
    """Raise the OSError of a full disk at once: a disk that is filled first is full for all."""
    if shutil.disk_usage(folder.parent).free < size_bytes:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder.parent))


def _until_gap(parts: Iterable[Stored]) -> int:
    """Return how many bytes there are from the beginning on without a gap."""
    until = 0
    for it in parts:
        if it.part.at > until:
            break
        until = max(until, it.part.end)
    return until


def _covering(parts: Iterable[Stored], until: int) -> list[tuple[Stored, int, int]]:
    """Return parts that have the bytes up to there, each with which of them it is read for."""
    chosen = []
    position = 0
    for it in parts:
        end = min(it.part.end, until)
        if it.part.at <= position < end:
            chosen.append((it, position, end))
            position = end
    return chosen
