"""The order of a job: one fixed-size record for each request, in the order of execution.

    record p:  index u32 │ offset u64 │ length u32 │ line number u32 │ shared u32 │ duplicate u8

Big endian. `index` is the place of the request in the input and so in the output; the next three
say where its line lies. `shared` is how many bytes of its prompt also begin the prompt of the
record before, and `duplicate` whether it asks the very same, so that one answer is right for both.

A shard is a contiguous piece of the order, and its lines are read from wherever they lie.
"""

import contextlib
import struct
from collections.abc import Iterable

import msgspec

from toplu.batch import paths
from toplu.job import JobId, Shard
from toplu.store.blobs.blobs import Blobs

RECORD = struct.Struct(">IQIIIB")


class OrderEntry(msgspec.Struct, frozen=True, gc=False):
    """One request in the order: a msgspec struct, for a job has millions of them."""

    index: int  # within the job, from 0
    offset: int  # of its line in the input
    length: int  # of its line, in bytes
    number: int  # of the physical line, from 1; 0: it is no request, but its outcome already
    shared_bytes: int
    is_duplicate: bool


class RequestLine(msgspec.Struct, frozen=True, kw_only=True):
    """One request as it stands in the input."""

    index: int  # within the job, from 0
    number: int  # of the physical line, from 1; 0: it is no request, but its outcome already
    line: bytes | None  # None: longer than `line_bytes_max`, and not read
    shared_bytes: int = 0  # of its prompt, how many begin the prompt before it as well
    group: int  # duplicates have the same, and nobody else in the shard has it

    @property
    def is_outcome(self) -> bool:
        """Whether it has an error before it is asked, which is what the line says."""
        return not self.number

    @property
    def own_bytes(self) -> int:
        """The bytes that a lane reads after the request before it; about."""
        return max(0, len(self.line or b"") - self.shared_bytes)


def pack(places: Iterable[OrderEntry]) -> bytes:
    """Return the records of the places."""
    return b"".join(
        RECORD.pack(
            place.index,
            place.offset,
            place.length,
            place.number,
            min(place.shared_bytes, 2**32 - 1),
            place.is_duplicate,
        )
        for place in places
    )


def unpack(records: bytes) -> list[OrderEntry]:
    """Return the places of the records."""
    return [
        OrderEntry(index, offset, length, number, shared, bool(is_duplicate))
        for index, offset, length, number, shared, is_duplicate in RECORD.iter_unpack(records)
    ]


async def read_places(blobs: Blobs, shard: Shard) -> list[OrderEntry]:
    """Return the shard's part of the order."""
    _, places = await _find_places(blobs, shard)
    return places


async def _find_places(blobs: Blobs, shard: Shard) -> tuple[str, list[OrderEntry]]:
    """Return the blob of the lines, and the shard's part of the order, which says where in it."""
    wanted = (shard.first * RECORD.size, shard.count * RECORD.size)
    if shard.wave:
        lines = paths.wave_lines(shard.job, shard.wave)
        records = await blobs.read(paths.wave_order(shard.job, shard.wave), *wanted)
    else:
        lines, records = await _read_order(blobs, shard.job, wanted)
    places = unpack(records)
    assert len(places) == shard.count, "the order is as long as the plan says"
    return lines, places


async def _read_order(blobs: Blobs, job: JobId, wanted: tuple[int, int]) -> tuple[str, bytes]:
    lines = paths.input_lines(job)
    with contextlib.suppress(FileNotFoundError):
        return lines, await blobs.read(paths.order(job), *wanted)
    if blobs.is_remote:
        with contextlib.suppress(FileNotFoundError):
            return paths.ordered_lines(job), await blobs.read(paths.copy_order(job), *wanted)
    # The job is being ordered, and the shard is of its head.
    return lines, await blobs.read(paths.head_order(job), *wanted)


async def read_shard(blobs: Blobs, shard: Shard, line_bytes_max: int) -> list[RequestLine]:
    """Return the shard's lines in the order of execution; the plan has bounded their bytes."""
    blob, places = await _find_places(blobs, shard)
    readable = [place for place in places if place.length <= line_bytes_max]
    lines = await blobs.read_pieces(blob, [(place.offset, place.length) for place in readable])
    line_of = {place.index: line for place, line in zip(readable, lines, strict=True)}
    read = []
    group = 0
    for place in places:
        group += not place.is_duplicate
        read.append(
            RequestLine(
                index=place.index,
                number=place.number,
                line=line_of.get(place.index),
                shared_bytes=place.shared_bytes,
                group=group,
            )
        )
    return read
