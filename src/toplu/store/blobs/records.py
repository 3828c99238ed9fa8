"""The form of one result in the log, and the reading of a file of them.

    record:  length u32 │ crc32 u32 │ index u32 │ outcome u8 │ tokens u32, u32, u32 │ payload

All little endian. The outcome is 0 for an error, 1 for a response, 2 for the response to another
request that asked the same, 3 for one that was kept from another job; with 4 added, the payload
begins with three further u32, and with 8 with a digest of 16 bytes behind these. The tokens are
those of the prompt, those of them that were cached, and those of the output, and the further ones
are what of them was discarded: to count results is to count what they used with them. What was kept
has used none, and the first number is what it had used. The digest is that of a request whose
response may be kept for others. The rest is one output line without its newline; the checksum
covers everything else in the record.
"""

import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

import msgspec

from toplu.labels import Labels
from toplu.money import NO_TOKENS, TOKENS, Usage

HEADER = struct.Struct("<IIIBIII")
ERROR, RESPONSE, COPY, REUSED = range(4)
WITH_DISCARDED, WITH_DIGEST = 4, 8
DISCARDED = struct.Struct("<III")  # before the line, where the outcome says so
DIGEST_BYTES = 16
CHECKED = struct.Struct("<IIBIII")  # the header without the checksum itself


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One request's outcome."""

    index: int  # of the request within its job
    succeeded: bool
    payload: bytes  # the output line, without a newline
    usage: Usage = NO_TOKENS  # of an error, and of what was not computed for this request
    is_copy: bool = False  # the response to another request that asked the same
    labels: Labels | None = None  # of the request; the log does not have them, its line does
    digest: bytes | None = None  # of the request, if others may have the response


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """The place of a record's payload in its file."""

    index: int
    succeeded: bool
    offset: int
    length: int
    usage: Usage
    is_copy: bool
    digest: bytes | None = None


def packed(records: Iterable[Record]) -> bytes:
    """Return the records as they stand in the log."""
    return b"".join(_pack(record) for record in records)


def _pack(record: Record) -> bytes:
    used, payload = record.usage, record.payload
    discarded = (
        used.discarded_prompt_tokens,
        used.discarded_cached_tokens,
        used.discarded_output_tokens,
    )
    outcome = _outcome_of(record)
    tokens = (used.prompt_tokens, used.cached_tokens, used.output_tokens)
    if outcome == REUSED:
        tokens = (used.reused_tokens, 0, 0)
    if record.digest is not None:
        outcome += WITH_DIGEST
        payload = record.digest + payload
    if any(discarded):
        outcome += WITH_DISCARDED
        payload = DISCARDED.pack(*discarded) + payload
    checked = CHECKED.pack(len(payload), record.index, outcome, *tokens)
    header = HEADER.pack(len(payload), _checksum(checked, payload), record.index, outcome, *tokens)
    return header + payload


def _outcome_of(record: Record) -> int:
    if not record.succeeded:
        return ERROR
    if record.usage.reused_requests:
        return REUSED
    return COPY if record.is_copy else RESPONSE


def _checksum(checked: bytes, payload: bytes) -> int:
    return zlib.crc32(payload, zlib.crc32(checked))


def read_entries(file: BinaryIO, size_bytes: int, position: int = 0) -> Iterator[Entry]:
    """Yield the whole records behind the position, up to the first damaged one."""
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
        yield _entry(index, outcome, offset, payload, tokens)
        position = offset + length


def _entry(index: int, outcome: int, offset: int, payload: bytes, tokens: list[int]) -> Entry:
    further = 0
    if outcome & WITH_DISCARDED:
        tokens = [*tokens, *DISCARDED.unpack_from(payload)]
        further = DISCARDED.size
    digest = None
    if outcome & WITH_DIGEST:
        digest = payload[further : further + DIGEST_BYTES]
        further += DIGEST_BYTES
    kind = outcome & ~(WITH_DISCARDED | WITH_DIGEST)
    if kind == REUSED:
        usage = Usage(reused_requests=1, reused_tokens=tokens[0])
    else:
        usage = Usage(**dict(zip(TOKENS, tokens, strict=False)))
    return Entry(
        index=index,
        succeeded=kind != ERROR,
        offset=offset + further,
        length=len(payload) - further,
        usage=usage,
        is_copy=kind == COPY,
        digest=digest,
    )
