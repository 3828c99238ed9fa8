"""A copy of the lines of an input in the order in which they run, so that a shard is one read.

Blocking; for the child process that orders.
"""

import os
from typing import BinaryIO

from toplu.batch.plan.order import OrderEntry


class OrderedCopy:
    """Writes the copy from its beginning on."""

    def __init__(self, lines: BinaryIO, copy: BinaryIO, line_bytes_max: int) -> None:
        self._lines = lines
        self._copy = copy
        self._line_bytes_max = line_bytes_max
        self._written_bytes = 0

    def moved(self, places: list[OrderEntry]) -> list[OrderEntry]:
        """Copy the lines, and return the places with where they lie now.

        A line that is too long to be read is not copied.
        """
        moved = []
        for place in places:
            offset = self._written_bytes
            if place.length <= self._line_bytes_max:
                line = os.pread(self._lines.fileno(), place.length, place.offset)
                assert len(line) == place.length, "the input is what it was"
                self._copy.write(line)
                self._written_bytes += len(line)
            moved.append(
                OrderEntry(
                    place.index,
                    offset,
                    place.length,
                    place.number,
                    place.shared_bytes,
                    place.is_duplicate,
                )
            )
        return moved
