"""Requests of a leased shard that one lane works through, one after another.

Neighbours share a prefix, which the lane has already read. So a span is divided only where
that is cheaper than to leave a lane idle: at the place where neighbours share least.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence

from toplu.batch.plan.order import RequestLine


class Span:
    """The requests that a lane has still to start, in order."""

    def __init__(self, lines: Iterable[RequestLine]) -> None:
        self._lines = deque(lines)

    def __len__(self) -> int:
        return len(self._lines)

    def startable(self) -> Iterator[tuple[int, RequestLine]]:
        """Yield the requests that may be started and their places; duplicates by the first.

        Nothing is to be taken meanwhile.
        """
        before = None
        for place, line in enumerate(self._lines):
            if line.group != before:
                yield place, line
            before = line.group

    def take(self, place: int | None = None) -> tuple[RequestLine, ...]:
        """Return the request at the place with its duplicates; None: the first that may be started.

        There is nothing when all are started, or none may be.
        """
        if not self._lines:
            return ()
        self._lines.rotate(-(place or 0))
        duplicates = [self._lines.popleft()]
        while self._lines and self._lines[0].group == duplicates[0].group:
            duplicates.append(self._lines.popleft())
        self._lines.rotate(place or 0)
        return tuple(duplicates)

    def note_read(self, line: RequestLine) -> bool:  # noqa: ARG002  # nobody waits for it here
        """Take note that the request's prompt is read; return whether another may go for it."""
        return False

    def divide(self, answer_bytes: float) -> "Span | None":
        """Keep the first part and return the rest, for another lane; None if it gains nothing.

        `answer_bytes` is what an answer costs, in bytes of a prompt that is read.
        """
        lines = list(self._lines)
        cut = cheapest_cut(lines, answer_bytes)
        if cut is None:
            return None
        self._lines = deque(lines[:cut])
        return Span(lines[cut:])

    def clear(self) -> None:
        """Start nothing more."""
        self._lines.clear()


def cheapest_cut(lines: Sequence[RequestLine], answer_bytes: float) -> int | None:
    """Return where to divide: about the middle, where neighbours share least.

    None where the work behind the cut is less than what another lane has to read again for it.
    Duplicates are never parted.
    """
    count = len(lines)
    if not count:
        return None

    def parts_duplicates(place: int) -> bool:
        return place > 0 and lines[place].group == lines[place - 1].group

    cut = min(
        range(count // 4, min(count, 3 * count // 4 + 1)),
        key=lambda place: (
            parts_duplicates(place),
            lines[place].shared_bytes,
            abs(2 * place - count),
        ),
    )
    if parts_duplicates(cut):
        return None
    work = sum(line.own_bytes + answer_bytes for line in lines[cut:])
    return cut if work > lines[cut].shared_bytes else None
