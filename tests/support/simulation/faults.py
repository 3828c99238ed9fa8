"""Faults by seed: of engines, disks, the database, the clock and the server itself."""

import asyncio
import errno
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from support.fake_clock import NOON
from support.simulation.lines import looks_whole
from toplu.batch.plan.ordering_child import OrderingAnswer, OrderingTask, plan_input
from toplu.child_process import ChildEnded
from toplu.engines.echo.engine import EchoEngine
from toplu.engines.generation import Generation, Listener
from toplu.engines.prompt import Prompt
from toplu.errors import Internal
from toplu.job import JobId
from toplu.settings.model import ModelSettings
from toplu.store.blobs.blobs import DiskBlobs
from toplu.store.blobs.records import Record
from toplu.store.blobs.result_log import ResultLog
from toplu.store.data_folder import DataFolder
from toplu.store.rows.sqlite import SqliteDatabase

SLOW_CHILD_SECONDS = 30.0


@dataclass
class Weather:
    """The probability of each fault at each call; a seed decides on all of them."""

    chance: random.Random
    engine_crash: float = 0.0
    engine_error: float = 0.0
    engine_hang: float = 0.0
    disk_full: float = 0.0
    torn_write: float = 0.0
    database_busy: float = 0.0
    child_crash: float = 0.0
    child_slow: float = 0.0
    log: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, chance: random.Random) -> "Weather":
        """Return a weather: each kind of fault comes in about half of them."""

        def some(likely: float) -> float:
            return chance.choice([0.0, likely])

        return cls(
            chance=chance,
            engine_crash=some(0.02),
            engine_error=some(0.05),
            engine_hang=some(0.01),
            disk_full=some(0.2),
            torn_write=some(0.2),
            database_busy=some(0.03),
            child_crash=some(0.3),
        )

    def clear(self) -> None:
        """Let nothing go wrong any more."""
        self.engine_crash = self.engine_error = self.engine_hang = 0.0
        self.disk_full = self.torn_write = self.database_busy = 0.0
        self.child_crash = self.child_slow = 0.0

    def strikes(self, fault: str) -> bool:
        """Return whether the fault happens at this call."""
        likely: float = getattr(self, fault)
        struck = likely > 0 and self.chance.random() < likely
        if struck:
            self.log.append(fault)
        return struck


class VirtualClock:
    """The time of the loop, and whatever the operator does to the machine's clock."""

    def __init__(self) -> None:
        self.offset = timedelta(0)

    def now(self) -> datetime:
        return NOON + timedelta(seconds=asyncio.get_running_loop().time()) + self.offset

    def elapsed(self) -> float:
        return asyncio.get_running_loop().time()

    async def sleep(self, span: timedelta) -> None:
        await asyncio.sleep(span.total_seconds())


class RooflineEngine(EchoEngine):
    """Takes as long as an engine would whose lanes share its time, and fails by the weather."""

    READ = 2000.0  # prompt tokens a second, all lanes together
    WRITE_ALONE = 40.0  # output tokens a second
    CROWDING = 0.1  # by which each further lane slows the others
    HANG_SECONDS = 100_000.0

    def __init__(
        self,
        model: ModelSettings,
        weather: Weather,
        started: Callable[[str], None],
        ended: Callable[[str], None],
    ) -> None:
        super().__init__(model)
        self._ended = ended
        self._weather = weather
        self._started = started
        self._busy = 0

    async def generate(
        self, prompt: Prompt, lane: int, listener: Listener | None = None
    ) -> Generation:
        text = str(prompt.turns[-1].parts[0])
        async with self._running[lane]:
            self._raise_if_dead()
            self._started(text)
            self._busy += 1
            try:
                await self._let_pass(self._seconds(text))
            finally:
                self._busy -= 1
        if self._weather.strikes("engine_error"):
            raise Internal("The engine had an error.")
        generation = await super().generate(prompt, lane, listener)
        self._ended(text)
        return generation

    def _seconds(self, text: str) -> float:
        if self._weather.strikes("engine_crash"):
            self.dead.set()
        if self._weather.strikes("engine_hang"):
            return self.HANG_SECONDS
        words = len(text.split())
        lanes = self._busy
        writing = 1 + (lanes - 1) * self.CROWDING
        return words * lanes / self.READ + words * writing / self.WRITE_ALONE


class FaultyLog(ResultLog):
    """A result log on a disk that is full at times, or takes a part of what it is given."""

    weather: Weather
    note_durable: Callable[[str, Sequence[Record]], None]

    def append(
        self, job: JobId, shard: int, epoch: int, records: Sequence[Record], *, at: int
    ) -> int:
        if self.weather.strikes("disk_full"):
            raise OSError(errno.ENOSPC, "No space left on device")
        if self.weather.strikes("torn_write"):
            super().append(job, shard, epoch, records, at=at)
            path = self._path(job, shard, epoch)
            whole = path.stat().st_size
            with path.open("r+b") as file:
                file.truncate(self.weather.chance.randint(at, whole))
            raise OSError(errno.EIO, "Input/output error")
        committed_bytes = super().append(job, shard, epoch, records, at=at)
        type(self).note_durable(job, records)
        return committed_bytes


class FaultyBlobs(DiskBlobs):
    """A blob store on such a disk."""

    weather: Weather

    async def put(self, name: str, chunks: Any, *args: Any, **more: Any) -> int:
        if self.weather.strikes("disk_full"):
            raise OSError(errno.ENOSPC, "No space left on device")
        return await super().put(name, chunks, *args, **more)


class FaultyDatabase(SqliteDatabase):
    """A database that another process keeps busy at times."""

    weather: Weather

    async def write(self, deed: Callable[[Connection], Any], **how: Any) -> Any:
        if self.weather.strikes("database_busy"):
            raise OSError(errno.EBUSY, "Device or resource busy")
        return await super().write(deed, **how)


async def planned_in_loop(weather: Weather, task: OrderingTask) -> OrderingAnswer:
    """Order a job as the child process does, at a moment that the loop decides."""
    if weather.strikes("child_crash"):
        raise ChildEnded("The planning process ended.")
    if weather.strikes("child_slow"):
        await asyncio.sleep(SLOW_CHILD_SECONDS)
    return await asyncio.to_thread(plan_input, task)


def tear_logs(data: DataFolder, chance: random.Random) -> None:
    """Leave at the end of a file what a disk may leave there that was not made sure."""
    for path in sorted(data.results.glob("*/*.log")):
        if chance.random() < 0.5:
            size = chance.randint(1, 60)
            with path.open("ab") as file:
                file.write(chance.choice([b"\0" * size, looks_whole(chance)]))
