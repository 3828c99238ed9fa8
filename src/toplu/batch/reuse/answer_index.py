"""An index of the answers of a job that others may have, in the order of their digests.

    record:  digest 16 bytes │ offset u64 │ length u32        of a line of the output, big endian

Digests are spread evenly, so that about one read finds one among millions: nothing of an index is
in memory but the block that was read.
"""

import struct
from bisect import bisect_left
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from toplu.batch.plan.external_sort import ExternalSort
from toplu.store.blobs.blobs import Blobs
from toplu.store.blobs.records import DIGEST_BYTES, Entry

RECORD = struct.Struct(f">{DIGEST_BYTES}sQI")
NONE = bytes(DIGEST_BYTES)
BLOCK_RECORDS = 512  # that are read at a time
DIGESTS_END: int = 1 << 8 * DIGEST_BYTES
# Sorted at a time: no more, for it is done in a process that has other things to do.
SORTER_BYTES = 4 * 1024 * 1024


class IndexWriter:
    """Takes the digests of a job's answers, then the output, then writes the index; blocking.

    `folder` is empty, and for what is needed meanwhile.
    """

    def __init__(self, folder: Path, total: int) -> None:
        self._held = ExitStack()
        self._digests = self._held.enter_context((folder / "digests").open("x+b"))
        self._digests.truncate(total * DIGEST_BYTES)
        self._sorter = ExternalSort(folder, SORTER_BYTES)
        self._next = 0  # the index of the request whose line comes next
        self._offset = 0  # of that line

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()

    def put(self, entries: Mapping[int, tuple[int, Entry]]) -> None:
        """Take what is known of some requests, by their indexes."""
        for index, (_, entry) in entries.items():
            if entry.digest is not None:
                self._digests.seek(index * DIGEST_BYTES)
                self._digests.write(entry.digest)

    def note_output(self, lines: bytes) -> None:
        """Take the next lines of the output, whole ones, once everything is put."""
        lengths = [len(line) for line in lines.split(b"\n")[:-1]]
        self._digests.seek(self._next * DIGEST_BYTES)
        digests = self._digests.read(len(lengths) * DIGEST_BYTES)
        for place, length in enumerate(lengths):
            digest = digests[place * DIGEST_BYTES : (place + 1) * DIGEST_BYTES]
            if digest != NONE:
                self._sorter.add(RECORD.pack(digest, self._offset, length))
            self._offset += length + 1
        self._next += len(lengths)

    def write(self, path: Path) -> None:
        """Write the index of all that was taken."""
        with path.open("xb") as file:
            for records in self._sorter.in_order():
                file.write(b"".join(records))


async def find_answer(
    blobs: Blobs, index: str, count: int, digest: bytes
) -> tuple[int, int] | None:
    """Return offset and length of the answer with the digest; None: there is none.

    `index` is the blob, of `count` records; FileNotFoundError: it is gone.
    """
    wanted = int.from_bytes(digest)
    low, high = 0, count
    floor, ceiling = 0, DIGESTS_END  # what the digests between have to be
    while low < high:
        guess = low + (wanted - floor) * (high - low) // (ceiling - floor)
        first = max(low, min(guess - BLOCK_RECORDS // 2, high - BLOCK_RECORDS))
        after = min(high, first + BLOCK_RECORDS)
        block = await blobs.read(index, first * RECORD.size, (after - first) * RECORD.size)
        lowest, highest = _digest(block, 0), _digest(block, after - first - 1)
        if digest < lowest:
            high, ceiling = first, int.from_bytes(lowest)
        elif digest > highest:
            low, floor = after, int.from_bytes(highest)
        else:
            return _find_in(block, after - first, digest)
    return None


def _find_in(block: bytes, count: int, digest: bytes) -> tuple[int, int] | None:
    place = bisect_left(range(count), digest, key=lambda it: _digest(block, it))
    found, offset, length = RECORD.unpack_from(block, place * RECORD.size)
    return (offset, length) if found == digest else None


def _digest(block: bytes, place: int) -> bytes:
    return block[place * RECORD.size : place * RECORD.size + DIGEST_BYTES]
