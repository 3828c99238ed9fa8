"""Leader first: the order of work for an engine that keeps prefixes for all lanes together.

Requests that begin at the same time read their prefix twice: it can be reused once it is read.
So the first of those that share a prefix goes ahead. The others are held back until its answer
begins, and requests that would not gain by waiting go in their place.
"""

import bisect
import itertools
from collections.abc import Iterator, Sequence

from toplu.batch.plan.order import RequestLine
from toplu.batch.run.span import Span

LOOK_AHEAD = 256  # requests that one which may go is looked for among
# Four blocks of an engine's cache, about: to read less again is no reason to wait.
WORTH_WAITING_BYTES = 256


class LeaderFirstSpan(Span):
    """A span that gives a request only when none is just reading what it would reuse."""

    def __init__(self, lines: Sequence[RequestLine]) -> None:
        super().__init__(lines)
        self._shared = [line.shared_bytes for line in lines]
        self._place_of = {line.index: place for place, line in enumerate(lines)}
        self._being_read: set[int] = set()  # places
        self._read: list[int] = []  # places, in order

    def startable(self) -> Iterator[tuple[int, RequestLine]]:
        for place, line in itertools.islice(super().startable(), LOOK_AHEAD):
            if not self._is_held(self._place_of[line.index]):
                yield place, line

    def take(self, place: int | None = None) -> tuple[RequestLine, ...]:
        if place is None:
            place = next((place for place, _ in self.startable()), None)
            if place is None:
                return ()
        duplicates = super().take(place)
        self._being_read.add(self._place_of[duplicates[0].index])
        return duplicates

    def note_read(self, line: RequestLine) -> bool:
        place = self._place_of[line.index]
        if place not in self._being_read:
            return False
        self._being_read.remove(place)
        bisect.insort(self._read, place)
        return True

    def _is_held(self, place: int) -> bool:
        # Places are in the order of the prompts, so that the nearest share most.
        near = bisect.bisect(self._read, place)
        neighbours = self._read[max(0, near - 1) : near + 1]
        cached = max((self._common(other, place) for other in neighbours), default=0)
        return any(
            self._common(other, place) >= cached + WORTH_WAITING_BYTES for other in self._being_read
        )

    def _common(self, one: int, other: int) -> int:
        """Return how many bytes of their prompts two places have in common."""
        low, high = sorted((one, other))
        return min(self._shared[low + 1 : high + 1])
