"""The server's clock, as a process knows it that only hears of it now and then."""

from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from support.fake_clock import NOON, FakeClock
from toplu.store.rows.server_clock import DRIFT, ServerClock, Told

NOON_SECONDS = NOON.timestamp()


class World:
    """A server, a process that asks it, and the clock of the process's machine."""

    def __init__(self, machine_off: timedelta = timedelta(0)) -> None:
        self.steady = 1000.0  # the process's own
        self.server = NOON_SECONDS
        self.machine = FakeClock(NOON + machine_off)
        self.clock = ServerClock("db", machine=self.machine, elapsed=lambda: self.steady)

    def pass_seconds(self, seconds: float) -> None:
        self.steady += seconds
        self.server += seconds
        self.machine.advance(timedelta(seconds=seconds))

    def ask(self, there: float, back: float) -> None:
        asked = self.steady
        self.pass_seconds(there)
        read = self.server
        self.pass_seconds(back)
        self.clock.note(Told(asked, read, self.steady))

    @property
    def error(self) -> float:
        return (self.clock.now() - datetime.fromtimestamp(self.server, UTC)).total_seconds()


@pytest.mark.parametrize(("there", "back"), [(0.1, 0.1), (0.2, 0.0), (0.0, 0.2)])
def test_it_is_wrong_by_half_of_a_round_trip_at_most(there: float, back: float) -> None:
    world = World(machine_off=timedelta(days=400))
    world.ask(there, back)
    assert abs(world.error) <= 0.1001
    world.pass_seconds(3600)
    assert abs(world.error) <= 0.1001, "it goes on by itself"


def test_an_answer_that_took_long_takes_nothing_of_what_is_known() -> None:
    world = World()
    world.ask(0.001, 0.001)
    for there, back in ((4.0, 0.0), (0.0, 4.0), (0.01, 3.0)):
        world.ask(there, back)
        # 11 s have passed since the narrow one.
        assert abs(world.error) <= 0.0011 + 11.1 * DRIFT


def test_answers_may_be_heard_in_any_order() -> None:
    world = World()
    early = Told(999.0, NOON_SECONDS - 0.5, world.steady)
    world.pass_seconds(60)
    world.ask(0.001, 0.001)
    world.clock.note(early)
    assert abs(world.error) <= 0.0011


def test_a_server_whose_clock_is_set_is_followed() -> None:
    world = World()
    world.ask(0.01, 0.01)
    for jump in (-7200, 86400):
        world.server += jump
        world.ask(0.01, 0.01)
        assert abs(world.error) <= 0.0101


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_machine_whose_clock_is_off_says_so_once_until_it_is_right(hours: int) -> None:
    world = World(machine_off=timedelta(hours=hours))
    with capture_logs() as logs:
        for _ in range(3):
            world.ask(0.01, 0.01)
    assert [it["event"] for it in logs] == ["clock_is_off"]
    assert (round(logs[0]["seconds"]), logs[0]["log_level"]) == (hours * 3600, "warning")
    with capture_logs() as logs:
        for off in (-hours, hours):
            world.machine.advance(timedelta(hours=off))
            world.ask(0.01, 0.01)
    assert [it["event"] for it in logs] == ["clock_is_off"], "it was right in between"


def test_a_machine_that_is_as_good_as_right_says_nothing() -> None:
    world = World(machine_off=timedelta(seconds=0.9))
    with capture_logs() as logs:
        world.ask(0.01, 0.01)
    assert logs == []
