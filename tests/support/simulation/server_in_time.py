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
from support.simulation.life_in_time import LifeInTime
from toplu import clock
from toplu.batch.plan import ordering
from toplu.fleet.processes import launch
from toplu.job import ProjectId
from toplu.settings.model import ModelSettings, PriceSettings
from toplu.settings.server import Settings
from toplu.store.data_folder import DataFolder
from toplu.wiring import storage as wiring_storage
from toplu.wiring.server import Server

T = TypeVar("T")

WHOLE_BYTES = 2000  # longer input is ordered as a large one is
FREE = PriceSettings()
MOMENT_SECONDS_MAX = 0.2  # by which one process may be ahead of another


class ServerInTime:
    """One data folder and the lives of the processes on it, each of which calls and works."""

    def __init__(
        self,
        folder: Path,
        chance: random.Random,
        weather: Weather,
        engine: type[RooflineEngine] = RooflineEngine,
        *,
        lanes: int = 4,
        whole_bytes: int = WHOLE_BYTES,
        processes: int = 1,
        price: PriceSettings = FREE,
        **changes: Any,
    ) -> None:
        model = ModelSettings(
            name="echo", aliases=("gemini-*",), engine="echo", lanes=lanes, price=price
        )
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
        self._now = 0.0
        self._lives: dict[int, LifeInTime] = {}  # of processes, by their place
        self._processes = processes
        self.killed: dict[str, float] = {}  # workers, and when

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
            mock.patch.object(toplu.batch.plan.planner, "IN_THREAD_BYTES_MAX", self._whole_bytes),
            mock.patch.object(ordering, "WHOLE_REQUESTS", 0),
            mock.patch.object(ordering, "HEAD_REQUESTS_PER_LANE", 1),
        ):
            yield

    @property
    def clock_seconds(self) -> float:
        """The time that the simulation has been going on."""
        return max([self._now, *(life.loop.now for life in self._lives.values())])

    @property
    def server(self) -> Server:
        """One of the processes, any that lives."""
        return self._any().server

    def _any(self) -> LifeInTime:
        lives = list(self._lives.values())
        return lives[0] if len(lives) == 1 else self.chance.choice(lives)

    def _here(self) -> LifeInTime:
        loop = asyncio.get_running_loop()
        return next(life for life in self._lives.values() if life.loop is loop)

    def _note_start(self, text: str) -> None:
        try:
            self.executions.note_start(text)
        except Violated as violation:
            # The server would make it the outcome of that request.
            self.report(str(violation))

    def begin_life(self, place: int | None = None) -> None:
        """Start a process, or all of them, as after a kill."""
        for each in range(self._processes) if place is None else [place]:
            self._lives[each] = LifeInTime(
                self.settings,
                self.clock,
                self.data,
                self.chance,
                self.clock_seconds,
                is_alone=self._processes == 1,
            )

    async def api(self, project: str) -> ProjectApi:
        """Return the API as the project finds it, of the process that asks."""
        server = self._here().server
        if project not in self._keys:
            self._keys[project] = await server.keys.create(ProjectId(project), "simulated")
        return ProjectApi(server.app, self._keys[project])

    def report(self, violation: str) -> None:
        """Have the history end with it after this step."""
        self._here().report(violation)

    def begin(self, deed: Awaitable[None]) -> None:
        """Have something done while time passes; it ends with this life, if not before."""
        self._deeds.append(deed)

    def pass_time(self, seconds: float, do: Callable[[], Awaitable[T]] | None = None) -> T | None:
        """Let the processes live for so long, one of them doing something if told to."""
        end = self.clock_seconds + seconds
        first = self._any()
        if len(self._lives) == 1:
            return first.pass_time_until(end, do, self._deeds)
        result = first.pass_time_until(self.clock_seconds, do, self._deeds)
        while (now := self.clock_seconds) < end:
            # Each lives for a moment, in any order, and so never far ahead of another.
            moment = min(end, now + self.chance.uniform(0.01, MOMENT_SECONDS_MAX))
            lives = list(self._lives.values())
            self.chance.shuffle(lives)
            for life in lives:
                life.pass_time_until(moment)
        return result

    def kill(self, place: int | None = None) -> None:
        """End a process, or all of them."""
        self._now = self.clock_seconds
        for each in list(self._lives) if place is None else [place]:
            life = self._lives.pop(each)
            self.killed[life.server.worker_id] = self._now
            life.kill()

    def lives_in(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Return whether the loop is that of a process that lives."""
        return any(life.loop is loop for life in self._lives.values())
