import asyncio
import errno
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from support.fleet.scripted_engine import FakeClock, ScriptedEngine, captured_logs, eventually
from toplu.fleet.processes.supervisor import EngineGivenUp, EngineStopped, Supervisor
from toplu.replica import EngineState

SECOND = timedelta(seconds=1)
NO_MODEL = ValueError("no such model")


class Launcher:
    """Starts scripted engines, and fails as often as the test wants."""

    def __init__(self, failures: int = 0, error: Exception = NO_MODEL) -> None:
        self.failures = failures
        self.error = error
        self.lives: list[ScriptedEngine] = []

    async def __call__(self) -> ScriptedEngine:
        if self.failures:
            self.failures -= 1
            raise self.error
        self.lives.append(ScriptedEngine())
        return self.lives[-1]


@asynccontextmanager
async def supervised(
    launcher: Callable, clock: FakeClock, attempts: int = 3
) -> AsyncIterator[Supervisor]:
    supervisor = Supervisor(name="m", launch=launcher, clock=clock, start_attempts_max=attempts)
    async with asyncio.TaskGroup() as group:
        run = group.create_task(supervisor.run())
        yield supervisor
        run.cancel()


async def pass_backoff(clock: FakeClock, sleeps: int) -> None:
    """Wait until the supervisor sleeps for the time numbered `sleeps`, and let that pass."""
    await eventually(lambda: len(clock.sleeps) == sleeps)
    clock.advance(clock.sleeps[-1])


async def test_a_ready_engine_is_handed_out_to_all_that_wait():
    launcher = Launcher()
    async with supervised(launcher, FakeClock()) as supervisor:
        assert supervisor.state is EngineState.STARTING
        assert await supervisor.ready() is launcher.lives[0]
        assert supervisor.pid == 4711


async def test_a_dead_engine_is_started_again_and_the_dead_one_is_reaped():
    launcher, clock = Launcher(), FakeClock()
    async with supervised(launcher, clock) as supervisor:
        first = await supervisor.ready()
        launcher.lives[0].dead.set()
        await eventually(lambda: supervisor.state is EngineState.DOWN)
        await pass_backoff(clock, 1)
        assert await supervisor.ready() is launcher.lives[1] is not first
        assert launcher.lives[0].stopped


async def test_an_engine_reported_dead_is_killed_and_not_handed_out_again():
    launcher, clock = Launcher(), FakeClock()
    async with supervised(launcher, clock) as supervisor:
        first = await supervisor.ready()
        supervisor.report_death(first)
        assert supervisor.state is EngineState.DOWN
        await pass_backoff(clock, 1)
        second = await supervisor.ready()
        supervisor.report_death(first)  # by somebody who noticed late
        assert supervisor.state is EngineState.READY
        assert await supervisor.ready() is second


async def test_the_backoff_grows_and_has_an_end():
    launcher, clock = Launcher(failures=12), FakeClock()
    async with supervised(launcher, clock, attempts=100) as supervisor:
        for sleeps in range(1, 13):
            await pass_backoff(clock, sleeps)
        await supervisor.ready()
    seconds = [sleep.total_seconds() for sleep in clock.sleeps]
    assert seconds[:4] == [0.1, 0.2, 0.4, 0.8]
    assert seconds[-2:] == [30, 30]


@pytest.mark.parametrize(("lived", "expected"), [(59, 0.2), (60, 0.1)])
async def test_the_backoff_begins_again_after_a_minute_of_life(lived: int, expected: float):
    launcher, clock = Launcher(), FakeClock()
    async with supervised(launcher, clock) as supervisor:
        await supervisor.ready()
        launcher.lives[0].dead.set()
        await pass_backoff(clock, 1)
        await supervisor.ready()
        clock.advance(lived * SECOND)
        launcher.lives[1].dead.set()
        await eventually(lambda: len(clock.sleeps) == 2)
    assert clock.sleeps[1].total_seconds() == expected


async def test_an_engine_that_never_starts_is_given_up_with_the_reason():
    launcher, clock = Launcher(failures=3), FakeClock()
    async with supervised(launcher, clock) as supervisor:
        await pass_backoff(clock, 1)
        await pass_backoff(clock, 2)
        with pytest.raises(EngineGivenUp, match="The engine m does not start: no such model"):
            await supervisor.ready()
    assert supervisor.state is EngineState.GIVEN_UP
    assert len(clock.sleeps) == 2


async def test_only_failed_starts_in_a_row_count():
    launcher, clock = Launcher(failures=2), FakeClock()
    async with supervised(launcher, clock) as supervisor:
        await pass_backoff(clock, 1)
        await pass_backoff(clock, 2)
        await supervisor.ready()
        launcher.failures = 2
        launcher.lives[0].dead.set()
        for sleeps in (3, 4, 5):
            await pass_backoff(clock, sleeps)
        assert await supervisor.ready() is launcher.lives[1]


async def test_stopping_stops_the_engine_and_ends_all_waits():
    launcher, clock = Launcher(), FakeClock()
    async with supervised(launcher, clock) as supervisor:
        await supervisor.ready()
    assert launcher.lives[0].stopped
    assert supervisor.state is EngineState.STOPPED
    with pytest.raises(EngineStopped):
        await supervisor.ready()


async def test_the_log_tells_the_life_of_the_engine():
    launcher, clock = Launcher(failures=1), FakeClock()
    with captured_logs() as entries:
        async with supervised(launcher, clock) as supervisor:
            await pass_backoff(clock, 1)
            await supervisor.ready()
            launcher.lives[0].dead.set()
            await eventually(lambda: len(clock.sleeps) == 2)
    assert [entry["event"] for entry in entries] == [
        "engine_starting",
        "engine_start_failed",
        "engine_starting",
        "engine_ready",
        "engine_died",
    ]
    assert entries[3]["pid"] == 4711
    assert entries[4]["exit_code"] == -9
    assert entries[4]["last_words"] == "ggml: out of words"


async def test_an_engine_that_lacks_space_on_disk_is_not_given_up():
    launcher, clock = (
        Launcher(failures=5, error=OSError(errno.ENOSPC, "No space left")),
        FakeClock(),
    )
    async with supervised(launcher, clock, attempts=3) as supervisor:
        for sleeps in range(1, 6):
            await pass_backoff(clock, sleeps)
        assert await supervisor.ready() is launcher.lives[0]
