"""Texts that wait for an embedder, and which of them go next, together.

Interactive texts go before those of batches. Of a batch's texts the oldest goes, and with it
those that are about as long, for a group costs what its longest text costs.
"""

import asyncio
from dataclasses import dataclass, field

from toplu.engines.embedder import Embedding

GROUP_TEXTS_MAX = 64
GROUP_CHARACTERS_MAX = 512 * 1024


@dataclass(slots=True, eq=False)
class WaitingText:
    """One text on its way to a vector."""

    text: str
    interactive: bool
    answered: "asyncio.Future[Embedding]"
    label: str | None = None
    alone: bool = False  # its group failed, so nobody is to share its fate
    crashes: int = 0


@dataclass(slots=True)
class EmbeddingQueue:
    """Takes texts one by one, gives them in groups."""

    _alone: list[WaitingText] = field(default_factory=list)
    _interactive: list[WaitingText] = field(default_factory=list)
    _batch: list[WaitingText] = field(default_factory=list)
    _filled: asyncio.Event = field(default_factory=asyncio.Event)

    def put(self, waiting: WaitingText) -> None:
        """Add a text to those that wait."""
        if waiting.alone:
            self._alone.append(waiting)
        else:
            (self._interactive if waiting.interactive else self._batch).append(waiting)
        self._filled.set()

    async def take(self) -> list[WaitingText]:
        """Return the texts that are to go next; waits until there are some."""
        while True:
            self._forget_answered()
            if self._alone:
                return [self._alone.pop(0)]
            for queue in (self._interactive, self._batch):
                if queue:
                    group = _group_of_oldest(queue)
                    queue[:] = [waiting for waiting in queue if waiting not in group]
                    return group
            self._filled.clear()
            await self._filled.wait()

    def drain(self) -> list[WaitingText]:
        """Return everything that waits, and wait for nothing more."""
        everything = [*self._alone, *self._interactive, *self._batch]
        for queue in (self._alone, self._interactive, self._batch):
            queue.clear()
        return everything

    def _forget_answered(self) -> None:
        # The future of a cancelled call is done.
        for queue in (self._alone, self._interactive, self._batch):
            queue[:] = [waiting for waiting in queue if not waiting.answered.done()]


def _group_of_oldest(queue: list[WaitingText]) -> list[WaitingText]:
    """Return the oldest text among its neighbours in length."""
    by_length = sorted(queue, key=lambda waiting: len(waiting.text))
    place = by_length.index(queue[0])
    first = max(0, min(place - GROUP_TEXTS_MAX // 2, len(by_length) - GROUP_TEXTS_MAX))
    group = by_length[first : first + GROUP_TEXTS_MAX]
    while sum(len(waiting.text) for waiting in group) > GROUP_CHARACTERS_MAX and len(group) > 1:
        # The end that is farther from the oldest goes, so that it always stays.
        group.pop(0 if group.index(queue[0]) >= len(group) / 2 else -1)
    return group
