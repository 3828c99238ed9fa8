"""The index of a job's input: one fixed-size record for each request, in input order.

    record i:  offset u64 │ length u32 │ line number u32        little endian, 16 bytes

With it any request's line is one read away and a shard is one contiguous read. A line is at
most 4 GiB long and a file at most 4 billion lines, well above the limits in `settings`.
"""

import struct
from collections.abc import Iterable
from dataclasses import dataclass

from toplu.batch import paths
from toplu.batch.lines import read_lines
from toplu.gemini.line_splitter import LineSpan
from toplu.job import Shard
from toplu.store.blobs import Blobs

RECORD = struct.Struct("<QII")


def pack(spans: Iterable[LineSpan]) -> bytes:
    """Return the records of the spans."""
    return b"".join(RECORD.pack(span.offset, span.length, span.number) for span in spans)


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestLine:
    """One request as it stands in the input."""

    index: int  # within the job, from 0
    number: int  # of the physical line, from 1
    line: bytes | None  # None: longer than `line_bytes_max`, and not read
    shared_bytes: int = 0  # of its prompt, how many begin the prompt before it as well

    @property
    def own_bytes(self) -> int:
        """How many bytes a lane reads that has just read the request before it; about."""
        return max(0, len(self.line or b"") - self.shared_bytes)


async def read_shard(blobs: Blobs, shard: Shard, line_bytes_max: int) -> list[RequestLine]:
    """Return the shard's lines in order; the plan has bounded their bytes."""
    records = await blobs.read(
        paths.line_index(shard.job), shard.first * RECORD.size, shard.count * RECORD.size
    )
    spans = [
        LineSpan(offset=offset, length=length, number=number)
        for offset, length, number in RECORD.iter_unpack(records)
    ]
    assert len(spans) == shard.count, "the index is as long as the plan says"
    lines = await read_lines(blobs, paths.input_lines(shard.job), spans, line_bytes_max)
    return [
        RequestLine(index=shard.first + place, number=span.number, line=line)
        for place, (span, line) in enumerate(zip(spans, lines, strict=True))
    ]
