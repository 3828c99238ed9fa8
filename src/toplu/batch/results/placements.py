"""The place of each request's result: a fixed-size record each, in input order.

    record i:  shard u32 │ epoch u32 │ offset u64 │ length u32        little endian

Results lie in the result log as they came, shard by shard. The records are written while the
segments are scanned, and read back from the first to the last: memory is bounded by one shard and
by one span of the output, whatever the size of the job. They are on disk, those of a small job in
memory.
"""

import io
import itertools
import struct
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from toplu.job import JobId, Shard
from toplu.store.blobs.records import Entry
from toplu.store.blobs.result_log import ResultLog, Segment
from toplu.wire.gemini import jsonl, message

RECORD = struct.Struct("<IIQI")
RECORDS_AT_ONCE = 32 * 1024
OUTPUT_BYTES = 8 * 1024 * 1024  # about so much of the output is in memory


@dataclass(frozen=True, slots=True)
class Placement:
    """The place of one result in the result log; epoch 0 is no result."""

    index: int  # of the request within its job
    shard: int
    epoch: int
    offset: int
    length: int


def entries_of(
    results: ResultLog, shard: Shard, segments: Sequence[Segment]
) -> dict[int, tuple[int, Entry]]:
    """Return the epoch and the entry of each request of the shard that has a counted outcome."""
    entries: dict[int, tuple[int, Entry]] = {}
    for segment in segments:
        scan = results.scan(shard.job, shard.number, segment.epoch, segment.committed_bytes)
        # The later epoch's outcome is the one that was counted; see `LeasedShard.open`.
        entries |= {entry.index: (segment.epoch, entry) for entry in scan.entries}
    return entries


class Placements:
    """The records of one job, in a file of their own; `path` is None where that is in memory.

    Requests beyond the total, which may not be known yet, count once they have a result.
    """

    def __init__(self, path: Path | None, total: int) -> None:
        self._total = total
        self._file: io.FileIO | io.BytesIO
        if path is None:
            self._file = io.BytesIO(bytes(total * RECORD.size))
        else:
            self._file = io.FileIO(path, "r+" if path.exists() else "x+")
            self._file.truncate(total * RECORD.size)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def put(self, shard: int, entries: dict[int, tuple[int, Entry]]) -> None:
        """Put down where the results of a shard lie; the keys are the indexes of its requests."""
        # Neighbours are written together.
        indexes = sorted(entries)
        self._total = max([self._total, *(index + 1 for index in indexes[-1:])])
        for _, run in itertools.groupby(enumerate(indexes), key=lambda pair: pair[1] - pair[0]):
            together = [index for _, index in run]
            records = b"".join(
                RECORD.pack(shard, epoch, entry.offset, entry.length)
                for epoch, entry in (entries[index] for index in together)
            )
            self._write_all(records, together[0] * RECORD.size)

    def _write_all(self, data: bytes, offset: int) -> None:
        """Write all of the data: a disk that becomes full takes a part of it before it fails."""
        self._file.seek(offset)
        rest = memoryview(data)
        while rest:
            written = self._file.write(rest)
            assert written is not None, "it is no pipe"
            rest = rest[written:]

    def end_of_run(self, first: int) -> int:
        """Return the first request, from this one on, that has no result."""
        for at in range(first, self._total, RECORDS_AT_ONCE):
            count = min(RECORDS_AT_ONCE, self._total - at)
            self._file.seek(at * RECORD.size)
            records = RECORD.iter_unpack(self._file.read(count * RECORD.size))
            for index, (_, epoch, _, _) in enumerate(records, start=at):
                if not epoch:
                    return index
        return max(first, self._total)

    def line(self, results: ResultLog, job: JobId, index: int) -> bytes:
        """Return the output line of a request that has a result."""
        self._file.seek(index * RECORD.size)
        placement = Placement(index, *RECORD.unpack(self._file.read(RECORD.size)))
        (line,) = _read(results, job, [placement])
        return line

    def count(self, first: int) -> int:
        """Return how many requests have a result, from this one on."""
        return sum(len(span) for span in self._spans(first))

    def _spans(self, start: int = 0, stop: int | None = None) -> Iterator[list[Placement]]:
        """Yield the placements in input order, as many at a time as results go into memory."""
        end = self._total if stop is None else stop
        span: list[Placement] = []
        size_bytes = 0
        for first in range(start, end, RECORDS_AT_ONCE):
            count = min(RECORDS_AT_ONCE, end - first)
            self._file.seek(first * RECORD.size)
            records = self._file.read(count * RECORD.size)
            for index, fields in enumerate(RECORD.iter_unpack(records), start=first):
                placement = Placement(index, *fields)
                if not placement.epoch:
                    continue
                span.append(placement)
                size_bytes += placement.length
                if size_bytes >= OUTPUT_BYTES:
                    yield span
                    span, size_bytes = [], 0
            if span:
                yield span
                span, size_bytes = [], 0

    def output(self, results: ResultLog, job: JobId) -> Iterator[bytes]:
        """Yield the output lines in input order, some of them at a time; none may be missing."""
        following = 0
        for span in self._spans():
            indexes = [placement.index for placement in span]
            expected = list(range(following, following + len(span)))
            assert indexes == expected, "a job counted as done lacks results"
            following += len(span)
            lines = _read(results, job, span)
            # An earlier version may have written characters into the log that cut lines.
            yield message.on_one_line(b"".join(line + b"\n" for line in lines))
        assert following == self._total, "a job counted as done lacks results"

    def numbered(
        self, results: ResultLog, job: JobId, first: int = 0, stop: int | None = None
    ) -> Iterator[bytes]:
        """Yield the output lines that there are, each with the number of its request."""
        for span in self._spans(first, stop):
            lines = _read(results, job, span)
            yield b"".join(
                jsonl.with_number(line, placement.index + 1) + b"\n"
                for placement, line in zip(span, lines, strict=True)
            )


def _read(results: ResultLog, job: JobId, span: list[Placement]) -> list[bytes]:
    """Return the lines of the placements; each segment is opened once."""
    places_of: dict[tuple[int, int], list[int]] = defaultdict(list)
    for place, placement in enumerate(span):
        places_of[placement.shard, placement.epoch].append(place)
    lines = [b""] * len(span)
    for (shard, epoch), places in places_of.items():
        spans = [(span[place].offset, span[place].length) for place in places]
        payloads = results.read_payloads(job, shard, epoch, spans)
        for place, payload in zip(places, payloads, strict=True):
            lines[place] = payload
    return lines
