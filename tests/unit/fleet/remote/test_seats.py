"""A server that tells its load has its seats taken, and few requests waiting."""

import pytest

from support.fleet.virtual_server import SeatedServer
from toplu.engines.http.load import ServerLoad, Software
from toplu.fleet.remote.seats import Seats

MOST = 256


@pytest.mark.parametrize("seconds", [0.3, 3.0, 30.0])
@pytest.mark.parametrize("seats", [1, 4, 32, 64, 100, 220])
def test_hardly_a_seat_is_missed_from_the_first_second_on(seats: int, seconds: float) -> None:
    server = SeatedServer(Seats(first=16, most=MOST), seats=seats, seconds=seconds)
    assert server.run(120.0) >= 0.98


@pytest.mark.parametrize("seats", [1, 4, 32, 100, 220])
def test_few_wait_there_when_the_first_have_gone(seats: int) -> None:
    server = SeatedServer(Seats(first=16, most=MOST), seats=seats)
    server.run(2.0 * MOST / seats * server.seconds)
    server.run(60.0)
    assert server.waiting_most <= max(2, seats / 4)


def test_where_all_may_run_all_are_asked() -> None:
    server = SeatedServer(Seats(first=16, most=MOST), seats=1000)
    server.run(60.0)
    assert server.limiter.limit == MOST


def test_seats_that_others_take_are_left_to_them_and_come_back() -> None:
    server = SeatedServer(Seats(first=16, most=MOST), seats=32)
    server.run(60.0)
    server.others = 24
    server.run(60.0)
    assert 8 <= server.limiter.limit <= 16
    server.others = 0
    server.run(20.0)
    assert server.run(60.0) >= 0.98


def test_what_memory_does_not_hold_is_seldom_put_back() -> None:
    server = SeatedServer(Seats(first=16, most=MOST), seats=64, memory=24)
    server.run(60.0)
    before = server.preemptions
    used = server.run(600.0)
    assert used >= 0.8 * 24 / 64
    assert server.preemptions - before <= server.done / 20


def test_a_refusal_cuts_once_however_many_come_with_it() -> None:
    seats = Seats(first=100, most=100)
    for _ in range(10):
        seats.refused()
    assert seats.limit == 60
    seats.note(ServerLoad(software=Software.VLLM, running=20, waiting=1), 20)
    seats.refused()
    assert seats.limit == 36
