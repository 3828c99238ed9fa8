"""The parts of uploads that are in use in this process, or were of late: one holder at a time."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

P = TypeVar("P")

WARM_MAX = 1024  # parts whose digest is kept in memory; others are read again at their end


@dataclass(slots=True)
class _Warm(Generic[P]):
    part: P
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    users: int = 0


class WarmParts(Generic[P]):
    """The parts, by the `id_hash` of their uploads."""

    def __init__(self, make: Callable[[str], P]) -> None:
        self._make = make
        self._warm: OrderedDict[str, _Warm[P]] = OrderedDict()

    @asynccontextmanager
    async def hold(self, id_hash: str) -> AsyncIterator[P]:
        """Wait until nobody else holds the part, and hold it."""
        warm = self._warm.get(id_hash)
        if warm is None:
            warm = self._warm[id_hash] = _Warm(self._make(id_hash))
        self._warm.move_to_end(id_hash)
        warm.users += 1
        try:
            async with warm.lock:
                yield warm.part
        finally:
            warm.users -= 1
            self._cool_down()

    def held(self, id_hash: str) -> P | None:
        """Return the part if somebody holds it."""
        warm = self._warm.get(id_hash)
        return None if warm is None or not warm.lock.locked() else warm.part

    def find(self, id_hash: str) -> P:
        """Return the part, be it held or not."""
        warm = self._warm.get(id_hash)
        return self._make(id_hash) if warm is None else warm.part

    def forget(self, id_hash: str) -> None:
        """Have the next holder begin with a part that knows nothing."""
        self._warm.pop(id_hash, None)

    def _cool_down(self) -> None:
        idle = [id_hash for id_hash, warm in self._warm.items() if not warm.users]
        for id_hash in idle[: max(0, len(self._warm) - WARM_MAX)]:
            del self._warm[id_hash]
