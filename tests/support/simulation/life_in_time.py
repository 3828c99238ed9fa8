"""One process of a server in virtual time, from its start to its kill, in a loop of its own."""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from support.simulation.checkers import Violated
from support.simulation.faults import FaultyDatabase, VirtualClock
from support.simulation.virtual_loop import VirtualLoop
from support.store.migrated import put_migrated
from toplu.settings.server import Settings
from toplu.store.data_folder import DataFolder
from toplu.store.search_index import SearchIndex
from toplu.tools.grounding import Grounder
from toplu.tools.local_index import LocalIndex
from toplu.wiring.server import Server
from toplu.wiring.storage import Storage

T = TypeVar("T")

# What a killed process leaves is never looked at again, nor may it run when it is collected.
_GRAVEYARD: list[Any] = []


class LifeInTime:
    """A process; its kill is the end of its loop in the middle of whatever it was doing."""

    server: Server

    def __init__(
        self,
        settings: Settings,
        clock: VirtualClock,
        data: DataFolder,
        chance: random.Random,
        start: float,
        *,
        is_alone: bool,  # nobody else is on the data folder
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._data = data
        self.loop = VirtualLoop(chance, start)
        self._is_alone = is_alone
        self._doing: list[asyncio.Future[None]] = []
        self._run(self._open())

    async def _open(self) -> None:
        put_migrated(self._data.database)
        self._database = await FaultyDatabase.open(self._data.database)
        self.server = Server(
            settings=self._settings,
            clock=self._clock,
            storage=Storage.of(self._data, self._database, None),
            grounder=Grounder(
                provider=LocalIndex(SearchIndex(self._data.search)), settings=self._settings.search
            ),
            any_key_until_first=True,
        )
        self._lock = self._data.lives.begin(self.server.worker_id)
        while True:
            # A server that cannot begin ends, and whoever runs it starts it again.
            with contextlib.suppress(Exception):
                await (self.server if self._is_alone else self.server.pipeline).recover()
                break
        self._working = asyncio.ensure_future(self.server.pipeline.work())

    def pass_time_until(
        self,
        moment: float,
        do: Callable[[], Awaitable[T]] | None = None,
        deeds: list[Awaitable[None]] | None = None,
    ) -> T | None:
        """Live until then, doing something meanwhile if told to."""

        async def meanwhile() -> T | None:
            result = None if do is None else await do()
            while deeds:
                self._doing.append(asyncio.ensure_future(deeds.pop()))
            await asyncio.wait([self._working], timeout=max(0.0, moment - self.loop.now))
            if self._working.done():
                self._working.result()
            return result

        result = self._run(meanwhile())
        if self.loop.broken:
            raise Violated(str(self.loop.broken[0])) from self.loop.broken[0]
        return result

    def report(self, violation: str) -> None:
        """Have the history end with it after this step."""
        self.loop.broken.append(Violated(violation))

    def kill(self) -> None:
        """End between two steps of the loop; nothing is tidied up."""
        for task in asyncio.all_tasks(self.loop):
            task._log_destroy_pending = False  # type: ignore[attr-defined]
            _GRAVEYARD.append(task)
        _GRAVEYARD.append(self.loop)
        self._database._close()
        self._lock.close()

    def _run(self, do: Any) -> Any:
        asyncio.set_event_loop(self.loop)
        try:
            return self.loop.run_until_complete(do)
        finally:
            asyncio.set_event_loop(None)
