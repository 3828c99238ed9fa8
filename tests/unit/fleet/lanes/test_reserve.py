"""The reserve grows with the calls that come and how long they take, and ends after them."""

import pytest

from toplu.fleet.lanes.reserve import Reserve

SECONDS = 60.0


class World:
    def __init__(self) -> None:
        self.now = 0.0
        self.reserve = Reserve(seconds=SECONDS, now=lambda: self.now)

    def calls(self, count: int, *, every: float, taking: float) -> None:
        for _ in range(count):
            self.now += every
            self.reserve.note_arrival()
            self.reserve.note_service(taking)


@pytest.fixture
def world() -> World:
    return World()


def test_without_calls_there_is_none(world: World) -> None:
    assert world.reserve.slots(8) == 0


def test_one_call_reserves_one_place_until_it_is_forgotten(world: World) -> None:
    world.reserve.note_arrival()
    assert world.reserve.slots(8) == 1
    world.now += SECONDS
    assert world.reserve.slots(8) == 1
    world.now += 0.1
    assert world.reserve.slots(8) == 0


@pytest.mark.parametrize(
    ("every", "taking", "slots"),
    [(10.0, 1.0, 1), (1.0, 1.0, 2), (1.0, 4.0, 6), (0.5, 8.0, 20)],
)
def test_the_reserve_is_the_mean_and_one_deviation(
    world: World, every: float, taking: float, slots: int
) -> None:
    world.calls(1000, every=every, taking=taking)
    assert world.reserve.slots(256) == pytest.approx(slots, abs=1)


def test_the_reserve_leaves_the_batches_some(world: World) -> None:
    world.calls(1000, every=0.1, taking=10.0)
    assert world.reserve.slots(3) == 3
    assert world.reserve.slots(0) == 0


def test_the_reserve_is_no_less_than_the_operator_wants(world: World) -> None:
    world.reserve = Reserve(seconds=SECONDS, now=lambda: world.now, least=3)
    assert world.reserve.slots(8) == 0
    world.calls(1, every=1.0, taking=0.1)
    assert world.reserve.slots(8) == 3
    assert world.reserve.slots(2) == 2


def test_the_reserve_shrinks_while_fewer_calls_come(world: World) -> None:
    world.calls(1000, every=1.0, taking=8.0)
    busy = world.reserve.slots(256)
    world.now += 30
    assert 1 < world.reserve.slots(256) < busy
