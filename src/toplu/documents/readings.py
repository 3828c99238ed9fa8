"""Readings of documents, a bounded number at a time, remembered while there is room.

The lines of a batch often name one file. What it gave, or why it gave nothing, is kept under a
key until younger ones need the room; calls with an equal key are for the same bytes.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

from toplu.documents.fault import DocumentFault

FAULT_WEIGHT = 256  # what a remembered fault counts for, and what each reading does at least

T = TypeVar("T")


class Readings(Generic[T]):
    """Reads each thing of at most `bytes_max` once, and gives it to all that ask for it."""

    def __init__(
        self, *, bytes_max: int, readers_max: int, weight_max: int, weight_of: Callable[[T], int]
    ) -> None:
        self._bytes_max = bytes_max
        self._slots = asyncio.Semaphore(readers_max)
        self._weight_max = weight_max
        self._weight_of = weight_of
        self._kept: OrderedDict[Hashable, T | DocumentFault] = OrderedDict()
        self._kept_weight = 0

    async def read(
        self, key: Hashable | None, size_bytes: int, work: Callable[[], Awaitable[T]]
    ) -> T:
        """Return what the work returns, now or earlier, or raise its DocumentFault."""
        check_size(size_bytes, self._bytes_max)
        if (outcome := self._recall(key)) is None:
            async with self._slots:
                # Whoever had the place before may have read the same.
                if (outcome := self._recall(key)) is None:
                    outcome = await _outcome(work)
                    self._keep(key, outcome)
        if isinstance(outcome, DocumentFault):
            # A new one: an exception grows with each place that it is raised at.
            raise DocumentFault(outcome.message, unserved=outcome.unserved)
        return outcome

    def _recall(self, key: Hashable | None) -> T | DocumentFault | None:
        if key not in self._kept:
            return None
        self._kept.move_to_end(key)
        return self._kept[key]

    def _keep(self, key: Hashable | None, outcome: T | DocumentFault) -> None:
        if key is None or (isinstance(outcome, DocumentFault) and outcome.passing):
            return
        self._kept[key] = outcome
        self._kept_weight += self._weight(outcome)
        while self._kept_weight > self._weight_max:
            _, forgotten = self._kept.popitem(last=False)
            self._kept_weight -= self._weight(forgotten)

    def _weight(self, outcome: T | DocumentFault) -> int:
        return FAULT_WEIGHT + (
            0 if isinstance(outcome, DocumentFault) else self._weight_of(outcome)
        )


def check_size(size_bytes: int, bytes_max: int) -> None:
    """Raise DocumentFault for more bytes than are read."""
    if size_bytes > bytes_max:
        raise DocumentFault(f"has {size_bytes} bytes; at most {bytes_max} are read.")


async def _outcome(work: Callable[[], Awaitable[T]]) -> T | DocumentFault:
    try:
        return await work()
    except DocumentFault as fault:
        return fault
