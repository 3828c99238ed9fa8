"""The results of several jobs in the order of the input that they were made of.

    job of engine A   1 · · 4 5 ·  ──┐
    job of engine B   · 2 · · · 6  ──┼──▶   1 2 3 4 5 6
    job of engine C   · · 3 · · ·  ──┘

Each job has its own in order, so that a group of each is all that is in memory.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Generic, TypeVar

E = TypeVar("E")

GROUP_LINES = 1024


class _Source(Generic[E]):
    """The entries of one job that are read and not yet passed on, each with its place."""

    def __init__(self, groups: AsyncIterator[Sequence[E]], place: Callable[[E], int]) -> None:
        self._groups = groups
        self._place = place
        self.ready: deque[tuple[int, E]] = deque()

    async def fill(self) -> bool:
        """Return whether there is an entry; read the next group if need be."""
        while not self.ready:
            group = await anext(self._groups, None)
            if group is None:
                return False
            places = await asyncio.to_thread(lambda it: list(map(self._place, it)), group)
            self.ready.extend(zip(places, group, strict=True))
        return True

    @property
    def next_place(self) -> int:
        return self.ready[0][0]


async def merge(
    jobs: Sequence[AsyncIterator[Sequence[E]]], place: Callable[[E], int]
) -> AsyncIterator[Sequence[E]]:
    """Yield the entries of all jobs by their place, some of them at a time.

    Entries of the same place are of the same job and stay together.
    """
    if len(jobs) == 1:
        async for group in jobs[0]:
            yield group
        return
    sources = [source for source in [_Source(job, place) for job in jobs] if await source.fill()]
    merged: list[E] = []
    while sources:
        first = min(sources, key=lambda source: source.next_place)
        merged.append(first.ready.popleft()[1])
        if len(merged) == GROUP_LINES:
            yield merged
            merged = []
        if not await first.fill():
            sources.remove(first)
    yield merged
