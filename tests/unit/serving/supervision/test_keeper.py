"""A process that dies is started again, less and less often, until it is told to end."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from support.fake_clock import FakeClock
from support.waiting import PATIENCE_SECONDS
from toplu import backoff
from toplu.errors import ConfigurationError
from toplu.serving.supervision import keeper as module
from toplu.serving.supervision.keeper import Keeper
from toplu.serving.supervision.orders import Order
from toplu.serving.supervision.process import ProcessDied
from toplu.settings.server import Settings

ORDER = Order(name="worker-1", role="worker", settings=Settings())


class FakeProcess:
    """One life; it ends when the test says so, or when it is asked to."""

    pid = 4711

    def __init__(self, refusal: Exception | None = None) -> None:
        self._refusal = refusal
        self._ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def wait_until_ready(self) -> None:
        if self._refusal is not None:
            self.end(2)
            raise self._refusal

    async def wait(self) -> int:
        return await self._ended

    def end(self, code: int) -> None:
        if not self._ended.done():
            self._ended.set_result(code)

    def ask_to_end(self) -> None:
        self.end(0)

    kill = ask_to_end


class Lives:
    """Takes the place of `Process`: each start is a new life."""

    def __init__(self, *refusals: Exception | None) -> None:
        self._refusals = list(refusals)
        self.born: asyncio.Queue[FakeProcess] = asyncio.Queue()

    async def start(self, _order: Order, _descriptors: Sequence[int]) -> FakeProcess:
        process = FakeProcess(self._refusals.pop(0) if self._refusals else None)
        self.born.put_nowait(process)
        return process


def kept(lives: Lives, monkeypatch: pytest.MonkeyPatch, clock: FakeClock) -> Keeper:
    monkeypatch.setattr(module, "Process", lives)
    return Keeper(ORDER, [], clock)


async def test_it_is_started_again_until_told_to_end(monkeypatch: pytest.MonkeyPatch) -> None:
    lives = Lives()
    keeper = kept(lives, monkeypatch, FakeClock())
    running = asyncio.ensure_future(keeper.run())
    await keeper.wait_until_ready()
    for _ in range(2):
        (await lives.born.get()).end(-9)
    last = await lives.born.get()
    keeper.ask_to_end()
    await running
    assert await last.wait() == 0
    assert lives.born.empty()


async def test_a_first_life_that_refuses_ends_all(monkeypatch: pytest.MonkeyPatch) -> None:
    keeper = kept(Lives(ConfigurationError("no such file")), monkeypatch, FakeClock())
    with pytest.raises(ConfigurationError, match="no such file"):
        await keeper.run()


async def test_a_later_one_that_refuses_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    lives = Lives(None, ConfigurationError("no such file"), ProcessDied())
    keeper = kept(lives, monkeypatch, FakeClock())
    running = asyncio.ensure_future(keeper.run())
    (await lives.born.get()).end(-9)
    for _ in range(3):
        await lives.born.get()
    keeper.ask_to_end()
    await running


async def test_one_that_ends_nobody_else_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    lives = Lives(ConfigurationError("no such file"))
    monkeypatch.setattr(module, "Process", lives)
    keeper = Keeper(ORDER, [], FakeClock(), ends_all=False)
    running = asyncio.ensure_future(keeper.run())
    await keeper.wait_until_ready()
    keeper.ask_to_end()
    await running


async def test_an_end_is_in_order_or_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[FakeProcess] = []
    monkeypatch.setattr(FakeProcess, "ask_to_end", lambda life: asked.append(life))  # noqa: PLW0108  # bound
    lives = Lives()
    keeper = kept(lives, monkeypatch, FakeClock())
    running = asyncio.ensure_future(keeper.run())
    life = await lives.born.get()
    await asyncio.sleep(0)
    ending = asyncio.ensure_future(keeper.end(3600))
    await asyncio.sleep(0)
    assert asked == [life]
    assert not ending.done()
    await keeper.end(0.001)  # kills it
    await ending
    await running


async def test_the_pauses_grow_and_a_steady_life_begins_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, lives, pauses = FakeClock(), Lives(), []
    keeper = kept(lives, monkeypatch, clock)

    async def note(span: timedelta) -> None:
        pauses.append(span.total_seconds())

    monkeypatch.setattr(keeper, "_pause", note)
    running = asyncio.ensure_future(keeper.run())
    for _ in range(10):
        (await lives.born.get()).end(-9)
    steady = await lives.born.get()
    clock.advance(backoff.STEADY)
    steady.end(-9)
    (await lives.born.get()).end(-9)
    last: Any = await lives.born.get()
    keeper.ask_to_end()
    await running
    assert pauses[:3] == [0.1, 0.2, 0.4]
    assert pauses[9] == 30
    assert pauses[10:12] == [0.1, 0.2]
    assert last is not None


async def test_an_end_is_not_held_up_by_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    lives = Lives()
    monkeypatch.setattr(backoff, "FIRST", timedelta(hours=1))
    keeper = kept(lives, monkeypatch, FakeClock())
    running = asyncio.ensure_future(keeper.run())
    (await lives.born.get()).end(-9)
    await asyncio.sleep(0)
    keeper.ask_to_end()
    await running


async def test_one_that_is_not_ready_yet_does_not_outlive_a_refusal_of_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def never(_: FakeProcess) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(FakeProcess, "wait_until_ready", never)
    lives = Lives()
    keeper = kept(lives, monkeypatch, FakeClock())
    with pytest.raises(ExceptionGroup):  # noqa: PT012  # the group ends with both
        async with asyncio.timeout(PATIENCE_SECONDS), asyncio.TaskGroup() as group:
            group.create_task(keeper.run())
            life = await lives.born.get()
            await asyncio.sleep(0)
            raise ConfigurationError("the other one refused")
    assert await life.wait() == 0
