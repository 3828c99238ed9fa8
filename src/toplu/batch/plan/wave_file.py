"""The lines of one wave: those that wait for lines of earlier ones, in input order.

    entry:  index u32 │ offset u64 │ length u32 │ number u32 │ is too deep u8 │ count u8 │ parents

Big endian. The first are as in the order; a parent is a u32, the index of the request that the key
at its place in the line's `after` stands for.
"""

import struct
from collections.abc import Iterator
from typing import BinaryIO

import msgspec

from toplu.batch import paths
from toplu.job import JobId
from toplu.store.blobs.blobs import Blobs

HEADER = struct.Struct(">IQIIBB")
# In place of a parent: no line has the key, or several have.
UNKNOWN = 2**32 - 1
AMBIGUOUS = 2**32 - 2
READ_BYTES = 1024 * 1024


class WaitingLine(msgspec.Struct, frozen=True, gc=False):
    """A line that waits, and for whom."""

    index: int  # within the job, from 0
    offset: int  # of the line in the input
    length: int  # of the line, in bytes
    number: int  # of the physical line, from 1
    parents: tuple[int, ...]
    is_too_deep: bool = False

    @property
    def is_unfounded(self) -> bool:
        """Whether there is no one line that a key of it stands for."""
        return any(parent >= AMBIGUOUS for parent in self.parents)


async def waves_of(blobs: Blobs, job: JobId) -> list[str]:
    """Return the blobs of the waves of a job whose lines were put into order, the first first."""
    found: list[str] = []
    while await blobs.size(name := paths.waiting(job, len(found) + 1)) is not None:
        found.append(name)
    return found


def pack(line: WaitingLine) -> bytes:
    """Return the entry of the line."""
    count = len(line.parents)
    header = HEADER.pack(line.index, line.offset, line.length, line.number, line.is_too_deep, count)
    return header + struct.pack(f">{count}I", *line.parents)


def read_wave(file: BinaryIO) -> Iterator[WaitingLine]:
    """Yield the lines of the entries."""
    while header := file.read(HEADER.size):
        index, offset, length, number, is_too_deep, count = HEADER.unpack(header)
        parents = struct.unpack(f">{count}I", file.read(4 * count))
        yield WaitingLine(index, offset, length, number, parents, bool(is_too_deep))
