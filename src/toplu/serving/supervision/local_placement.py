"""Replicas that come and go as processes of the supervisor: placement `local`."""

import asyncio
from collections.abc import Callable, Mapping

from toplu.serving.supervision.keeper import Keeper

Replica = tuple[str, int]  # the name of its model, and its number


class LocalPlacement:
    """Keeps a worker for each replica; see `placement.placer.Placement`."""

    def __init__(
        self,
        keeper_of: Callable[[str, int], Keeper],
        tasks: asyncio.TaskGroup,
        *,
        end_seconds_max: float,
    ) -> None:
        self._keeper_of = keeper_of
        self._tasks = tasks
        self._end_seconds_max = end_seconds_max
        self._kept: dict[Replica, Keeper] = {}
        self._ending: set[Replica] = set()

    @property
    def keepers(self) -> list[Keeper]:
        """Return those of all replicas that have not ended."""
        return list(self._kept.values())

    async def place(self, wanted: Mapping[str, int]) -> None:
        """Start those that are missing, and have those end that are too many.

        One that is wanted again while it ends is started when it has ended.
        """
        missing = {(model, at) for model, number in wanted.items() for at in range(number)}
        for replica in self._kept.keys() - missing - self._ending:
            self._ending.add(replica)
            self._tasks.create_task(self._end(replica))
        for model, at in sorted(missing - self._kept.keys()):
            self._kept[model, at] = keeper = self._keeper_of(model, at)
            self._tasks.create_task(keeper.run())

    async def _end(self, replica: Replica) -> None:
        await self._kept[replica].end(self._end_seconds_max)
        self._ending.remove(replica)
        del self._kept[replica]
