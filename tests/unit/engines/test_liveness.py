"""An engine that is asked and silent is gone; one that nobody asks, or that is heard, is not."""

import asyncio

import pytest

from support.waiting import PATIENCE_SECONDS
from toplu.engines.liveness import LOOKS, Liveness

SILENCE = 60.0


class World:
    """A pulse whose seconds pass with the looks at it, and what happens at each of them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        self.looks = 0
        self.stands_still = 0.0  # added to each sleep
        self.checked = 0
        self.pulse = Liveness(silence_seconds_max=SILENCE, now=lambda: self.now)
        self.at_look = lambda: None
        turn = asyncio.sleep

        async def sleep(seconds: float) -> None:
            self.now += seconds + self.stands_still
            self.looks += 1
            self.at_look()
            await turn(0)

        monkeypatch.setattr("toplu.engines.liveness.asyncio.sleep", sleep)

    async def check(self) -> None:
        self.checked += 1

    async def wait(self, *, looks_max: int = 20) -> bool:
        """Return whether the engine was found gone within so many looks."""
        before = self.at_look

        def count() -> None:
            before()
            if self.looks >= looks_max:
                waiting.cancel()

        self.at_look = count
        waiting = asyncio.ensure_future(self.pulse.wait_until_gone(self.check))
        await asyncio.wait([waiting])
        return not waiting.cancelled()


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


async def test_an_engine_that_is_asked_and_silent_is_gone(world: World) -> None:
    with world.pulse.asked():
        assert await world.wait()
    assert world.looks == LOOKS + 1
    assert world.checked == 0


async def test_an_engine_that_is_heard_lives(world: World) -> None:
    world.at_look = world.pulse.beat
    with world.pulse.asked():
        assert not await world.wait()


async def test_an_idle_engine_lives_as_long_as_it_says_how_it_is(world: World) -> None:
    assert not await world.wait()
    assert world.checked > LOOKS


async def test_an_idle_engine_that_does_not_say_how_it_is_is_gone() -> None:
    loop = asyncio.get_running_loop()
    pulse = Liveness(silence_seconds_max=0.01, now=loop.time)
    async with asyncio.timeout(PATIENCE_SECONDS):
        await pulse.wait_until_gone(asyncio.Event().wait)  # type: ignore[arg-type]


async def test_the_time_of_a_listener_is_not_the_engines(world: World) -> None:
    with world.pulse.asked(), world.pulse.busy_elsewhere():
        assert not await world.wait()
    world.now += 10 * SILENCE
    assert not world.pulse.is_gone


async def test_silence_is_counted_from_the_question_on(world: World) -> None:
    world.now = 10 * SILENCE
    with world.pulse.asked():
        assert not world.pulse.is_gone
        world.now += SILENCE + 1
        assert world.pulse.is_gone
        with world.pulse.asked():
            assert world.pulse.is_gone  # another question is no sign of life
    assert not world.pulse.is_gone


async def test_a_process_that_stood_still_itself_blames_nobody(world: World) -> None:
    world.stands_still = 2 * SILENCE
    with world.pulse.asked():
        assert not await world.wait()
