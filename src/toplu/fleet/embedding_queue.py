"""Texts that wait for an embedder, and which of them go next, together.

Interactive texts go before those of batches. Of a batch's texts the oldest goes, and with it
those that are about as long, for a group costs what its longest text costs.
"""

import asyncio
from dataclasses import dataclass, field

from toplu.engines.embedder import Embedding

GROUP_TEXTS_MAX = 256
# Count times longest: about one run of a model. Whoever comes interactively waits for two groups.
GROUP_CHARACTERS_MAX = 16 * 1024
# A text that is longer costs no more, for models cut there or before.
TEXT_CHARACTERS_READ = 1024


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
                    taken = set(map(id, group))
                    queue[:] = [waiting for waiting in queue if id(waiting) not in taken]
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
    """Return the oldest text and as many of its neighbours in length as go with it."""
    by_length = sorted(queue, key=lambda waiting: len(waiting.text))
    first = last = by_length.index(queue[0])

    def has_room(longest: int) -> bool:
        count = last - first + 2
        cost = min(len(by_length[longest].text), TEXT_CHARACTERS_READ)
        return count <= GROUP_TEXTS_MAX and count * cost <= GROUP_CHARACTERS_MAX

    grows = True
    while grows:
        grows = False
        if first > 0 and has_room(last):
            first -= 1
            grows = True
        if last + 1 < len(by_length) and has_room(last + 1):
            last += 1
            grows = True
    return by_length[first : last + 1]
