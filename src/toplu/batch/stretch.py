"""Requests of a leased shard that one lane works through, one after another.

Neighbours share a prefix, which the lane has already read. So a stretch is divided only where
that is cheaper than to leave a lane idle: at the place where neighbours share least.
"""

from collections import deque
from collections.abc import Iterable, Sequence

from toplu.batch.line_index import RequestLine


class Stretch:
    """What a lane has still to start, in order."""

    def __init__(self, lines: Iterable[RequestLine]) -> None:
        self._lines = deque(lines)

    def __len__(self) -> int:
        return len(self._lines)

    def take(self) -> RequestLine | None:
        """Return the next request to start, or None when all are started."""
        return self._lines.popleft() if self._lines else None

    def divide(self, answer_bytes: float) -> "Stretch | None":
        """Keep the first part and return the rest, for another lane; None if it gains nothing.

        `answer_bytes` is what an answer costs, in bytes of a prompt that is read.
        """
        lines = list(self._lines)
        cut = cheapest_cut(lines, answer_bytes)
        if cut is None:
            return None
        self._lines = deque(lines[:cut])
        return Stretch(lines[cut:])

    def clear(self) -> None:
        """Start nothing more."""
        self._lines.clear()


def cheapest_cut(lines: Sequence[RequestLine], answer_bytes: float) -> int | None:
    """Return where to divide: about the middle, where neighbours share least.

    None where the work behind the cut is less than what another lane has to read again for it.
    """
    count = len(lines)
    if not count:
        return None
    cut = min(
        range(count // 4, min(count, 3 * count // 4 + 1)),
        key=lambda place: (lines[place].shared_bytes, abs(2 * place - count)),
    )
    work = sum(line.own_bytes + answer_bytes for line in lines[cut:])
    return cut if work > lines[cut].shared_bytes else None
