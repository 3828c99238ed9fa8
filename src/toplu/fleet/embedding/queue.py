"""Texts that wait for an embedder, and which of them go next, together.

Those go first that have been underway in vain. Of the others the oldest goes, and with it those
that are about as long, for a group costs what its longest text costs.
"""

import asyncio
from dataclasses import dataclass, field

from toplu.engines.embedder import Embedding
from toplu.wire.gemini.embedding import TaskType

GROUP_TEXTS_MAX = 256
# Count times longest: about one run of a model. Whoever comes interactively waits for two groups.
GROUP_CHARACTERS_MAX = 16 * 1024


@dataclass(slots=True, eq=False)
class WaitingText:
    """One text on its way to a vector."""

    text: str
    interactive: bool
    answered: "asyncio.Future[Embedding]"
    label: str | None = None
    task: TaskType | None = None
    crashes: int = 0  # of engines that died while they held it
    losses: int = 0  # of answers that a remote server did not give whole, to it alone


@dataclass(slots=True, kw_only=True)
class EmbeddingQueue:
    """Takes texts one by one, gives them in groups."""

    characters_read: int  # a text that is longer costs no more, for the model cuts it there
    _again: list[list[WaitingText]] = field(default_factory=list)
    _waiting: list[WaitingText] = field(default_factory=list)
    _filled: asyncio.Event = field(default_factory=asyncio.Event)

    def put(self, waiting: WaitingText) -> None:
        """Add a text to those that wait."""
        self._waiting.append(waiting)
        self._filled.set()

    def put_again(self, group: list[WaitingText]) -> None:
        """Have texts that failed go once more, with nobody else."""
        self._again.append(group)
        self._filled.set()

    async def take(self) -> list[WaitingText]:
        """Return the texts that are to go next; waits until there are some."""
        while True:
            # The future of a cancelled call is done.
            while self._again:
                if group := _unanswered(self._again.pop(0)):
                    return group
            self._waiting = _unanswered(self._waiting)
            if self._waiting:
                group = self._group_of_oldest()
                taken = set(map(id, group))
                self._waiting = [waiting for waiting in self._waiting if id(waiting) not in taken]
                return group
            self._filled.clear()
            await self._filled.wait()

    def drain(self) -> list[WaitingText]:
        """Return everything that waits, and wait for nothing more."""
        everything = [*(text for group in self._again for text in group), *self._waiting]
        self._again.clear()
        self._waiting.clear()
        return everything

    def _group_of_oldest(self) -> list[WaitingText]:
        """Return the oldest text and as many of its neighbours in length as go with it."""
        by_length = sorted(self._waiting, key=lambda waiting: len(waiting.text))
        first = last = by_length.index(self._waiting[0])

        def has_room(longest: int) -> bool:
            count = last - first + 2
            cost = min(len(by_length[longest].text), self.characters_read)
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


def _unanswered(group: list[WaitingText]) -> list[WaitingText]:
    return [waiting for waiting in group if not waiting.answered.done()]
