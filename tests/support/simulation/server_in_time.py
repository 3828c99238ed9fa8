"""A whole server without HTTP, in virtual time: it lives, is killed, and lives again.

Everything is the product's own but the loop, the clock, the engine and the faults. A kill is the
end of the loop in the middle of whatever it was doing: nothing is tidied up.
"""

import asyncio
import contextlib
import random
import secrets
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar
from unittest import mock

import msgspec

import toplu.batch.plan.planner
from support.simulation.api_calls import ProjectApi
from support.simulation.checkers import Violated
from support.simulation.executions import Executions
from support.simulation.faults import (
    FaultyBlobs,
    FaultyDatabase,
    FaultyLog,
    RooflineEngine,
    VirtualClock,
    Weather,
    planned_in_loop,
)
from support.simulation.virtual_loop import VirtualLoop
from support.store.migrated import put_migrated
from toplu import clock
from toplu.batch.plan import ordering
from toplu.fleet.processes import launch
from toplu.job import ProjectId
from toplu.settings.model import ModelSettings
from toplu.settings.server import Settings
from toplu.store.data_folder import DataFolder
from toplu.store.search_index import SearchIndex
from toplu.tools.grounding import Grounder
from toplu.tools.local_index import LocalIndex
from toplu.wiring import storage as wiring_storage
from toplu.wiring.server import Server
from toplu.wiring.storage import Storage

T = TypeVar("T")

WHOLE_BYTES = 2000  # longer input is ordered as a large one is

# What a killed server leaves is never looked at again, nor may it run when it is collected.
_GRAVEYARD: list[Any] = []


class ServerInTime:
    """One data folder and the lives of the servers on it."""

    def __init__(
        self,
        folder: Path,
        chance: random.Random,
        weather: Weather,
        engine: type[RooflineEngine] = RooflineEngine,
        *,
        lanes: int = 4,
        whole_bytes: int = WHOLE_BYTES,
        **changes: Any,
    ) -> None:
        model = ModelSettings(name="echo", aliases=("gemini-*",), engine="echo", lanes=lanes)
        settings = Settings(data_dir=folder / "data", models=(model,), request_seconds_max=300.0)
        self.settings = msgspec.structs.replace(settings, **changes)
        self._engine = engine
        self._whole_bytes = whole_bytes
        self.chance = chance
        self.weather = weather
        self.clock = VirtualClock()
        self.data = DataFolder(self.settings.data_dir)
        self.data.create()
        self.executions = Executions(lambda: self.clock_seconds)
        self._keys: dict[str, str] = {}  # by project
        self._deeds: list[Awaitable[None]] = []  # to be begun
        self._doing: list[asyncio.Future[None]] = []
        self.lives = 0
        self._now = 0.0
        self._loop: VirtualLoop | None = None
        self.server: Server | None = None
        self._database: FaultyDatabase | None = None

    @contextlib.contextmanager
    def simulated(self) -> Iterator[None]:
        """Put the simulated parts in the places of the real ones."""

        def engine(model: ModelSettings) -> RooflineEngine:
            ended = self.executions.note_end
            return self._engine(model, self.weather, self._note_start, ended)

        async def plan(task: Any) -> Any:
            return await planned_in_loop(self.weather, task)

        FaultyLog.note_durable = self.executions.note_durable
        FaultyLog.weather = FaultyBlobs.weather = FaultyDatabase.weather = self.weather
        with (
            mock.patch.object(launch, "EchoEngine", engine),
            mock.patch.object(wiring_storage, "ResultLog", FaultyLog),
            mock.patch.object(wiring_storage, "DiskBlobs", FaultyBlobs),
            mock.patch.object(secrets, "token_bytes", self.chance.randbytes),
            mock.patch.object(clock, "_drawn", defaultdict(list)),
            mock.patch.object(toplu.batch.plan.planner, "plan_in_child", plan),
            mock.patch.object(ordering, "WHOLE_BYTES", self._whole_bytes),
            mock.patch.object(ordering, "WHOLE_REQUESTS", 0),
            mock.patch.object(ordering, "HEAD_REQUESTS_PER_LANE", 1),
        ):
            yield

    @property
    def clock_seconds(self) -> float:
        """The time that the simulation has been going on."""
        return self._now if self._loop is None else self._loop.now

    def _note_start(self, text: str) -> None:
        try:
            self.executions.note_start(text)
        except Violated as violation:
            # The server would make it the outcome of that request.
            self.report(str(violation))

    def begin_life(self) -> None:
        """Start the server, as after a kill."""
        self.lives += 1
        self._loop = VirtualLoop(self.chance, self._now)
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._open())

    async def _open(self) -> None:
        put_migrated(self.data.database)
        self._database = await FaultyDatabase.open(self.data.database)  # type: ignore[assignment]
        self.server = Server(
            settings=self.settings,
            clock=self.clock,
            storage=Storage.of(self.data, self._database),
            grounder=Grounder(
                provider=LocalIndex(SearchIndex(self.data.search)), settings=self.settings.search
            ),
            any_key_until_first=True,
        )
        self._life = self.data.lives.begin(self.server.worker_id)
        while True:
            # A server that cannot begin ends, and whoever runs it starts it again.
            with contextlib.suppress(Exception):
                await self.server.pipeline.recover()
                break
        self._working = asyncio.ensure_future(self.server.pipeline.work())

    async def api(self, project: str) -> ProjectApi:
        """Return the API as the project finds it."""
        assert self.server is not None
        if project not in self._keys:
            self._keys[project] = await self.server.keys.create(ProjectId(project), "simulated")
        return ProjectApi(self.server.app, self._keys[project])

    def report(self, violation: str) -> None:
        """Have the history end with it after this step."""
        assert self._loop is not None
        self._loop.broken.append(Violated(violation))

    def begin(self, deed: Awaitable[None]) -> None:
        """Have something done while time passes; it ends with this life, if not before."""
        self._deeds.append(deed)

    def pass_time(self, seconds: float, do: Callable[[], Awaitable[T]] | None = None) -> T | None:
        """Let the server live for so long, doing something meanwhile if told to."""
        assert self._loop is not None

        async def meanwhile() -> T | None:
            result = None if do is None else await do()
            while self._deeds:
                self._doing.append(asyncio.ensure_future(self._deeds.pop()))
            await asyncio.wait([self._working], timeout=seconds)
            if self._working.done():
                self._working.result()
            return result

        result = self._loop.run_until_complete(meanwhile())
        if self._loop.broken:
            raise Violated(str(self._loop.broken[0])) from self._loop.broken[0]
        return result

    def kill(self) -> None:
        """End the life between two steps of the loop."""
        assert self._loop is not None
        assert self._database is not None
        self._now = self._loop.now
        for task in asyncio.all_tasks(self._loop):
            task._log_destroy_pending = False  # type: ignore[attr-defined]
            _GRAVEYARD.append(task)
        _GRAVEYARD.append(self._loop)
        self._database._close()
        self._life.close()
        asyncio.set_event_loop(None)
