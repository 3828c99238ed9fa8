"""B7: within thirty windows a server yields what it yields with the best limit there is."""

import pytest

from support.fleet.virtual_server import (
    VirtualServer,
    Yield,
    best_fixed,
    flat_from,
    saturating,
    thrashing_from,
)
from toplu.fleet.remote.limiter import Limiter

MOST = 256
WINDOWS = 30
SEEDS = 5


def a_server(tokens_a_second: Yield, seed: int = 0, **values: int) -> VirtualServer:
    return VirtualServer(Limiter(first=16, most=MOST), tokens_a_second, seed=seed, **values)


def mean_share(tokens_a_second: Yield) -> float:
    """Return what is yielded after thirty windows, of what the best fixed limit yields."""
    shares = []
    for seed in range(SEEDS):
        server = a_server(tokens_a_second, seed)
        server.run(windows=WINDOWS)
        shares.append(server.run(windows=60) / best_fixed(tokens_a_second, MOST))
    return sum(shares) / SEEDS


@pytest.mark.parametrize("knee", [1, 2, 5, 12, 40, 100, 200])
def test_the_knee_is_found_where_more_gains_nothing(knee: int):
    assert mean_share(flat_from(knee)) >= 0.95


@pytest.mark.parametrize("knee", [5, 12, 40, 100, 200])
def test_the_knee_is_found_where_more_loses_much(knee: int):
    assert mean_share(thrashing_from(knee)) >= 0.95


@pytest.mark.parametrize("half", [10, 100])
def test_a_server_without_a_sharp_knee_is_used_well(half: int):
    assert mean_share(saturating(half)) >= 0.95


def test_where_more_gains_nothing_few_requests_are_held():
    server = a_server(flat_from(20))
    server.run(windows=WINDOWS)
    assert 17 <= server.limiter.limit <= 30


@pytest.mark.parametrize("room", [1, 3, 10, 64, 90])
def test_a_server_that_refuses_more_is_asked_just_less(room: int):
    server = a_server(flat_from(200), room=room)
    server.run(windows=WINDOWS)
    refused, done = server.refused, server.done
    share = server.run(windows=60) / (100 * room)
    assert share >= 0.9
    assert server.refused - refused < 0.02 * (server.done - done)


@pytest.mark.parametrize("faults", [0.003, 0.01, 0.03])
@pytest.mark.parametrize(
    "tokens_a_second", [flat_from(100), thrashing_from(20)], ids=["flat", "thr"]
)
def test_a_server_that_refuses_now_and_then_for_no_reason_is_not_asked_less(
    tokens_a_second: Yield, faults: float
):
    shares = []
    for seed in range(SEEDS):
        server = a_server(tokens_a_second, seed)
        server.faults = faults
        server.run(seconds=300)
        shares.append(server.run(seconds=600) / best_fixed(tokens_a_second, MOST))
    assert sum(shares) / SEEDS >= 0.95


def test_a_knee_that_moves_is_followed():
    before, after = flat_from(100), thrashing_from(25)
    server = a_server(lambda level, now: (before if now < 600 else after)(level, now))
    server.run(seconds=600)
    assert server.limiter.limit > 80
    server.run(windows=2 * WINDOWS)
    assert server.run(windows=60) >= 0.9 * best_fixed(after, MOST)


def test_an_outage_is_survived_without_a_collapse():
    server = a_server(flat_from(100))
    server.run(windows=WINDOWS)
    settled = server.limiter.limit
    server.room = 0
    for _ in range(50):
        server.now += 1.0
        server.limiter.overloaded(started=server.now, now=server.now)
    assert server.limiter.limit == 1
    server.room = 10**6
    server.run(windows=12)
    assert server.limiter.limit >= 0.9 * settled


def test_many_refusals_of_one_moment_cut_once():
    limiter = Limiter(first=100, most=MOST)
    for _ in range(100):
        limiter.overloaded(started=5.0, now=6.0)
    assert limiter.limit == 60


def test_the_limit_stays_where_nobody_asks_for_more():
    limiter = Limiter(first=16, most=MOST)
    for second in range(1000):
        limiter.finished(started=second, ended=second + 1, work=100, full=False)
    assert (limiter.limit, limiter.windows) == (16, 0)


def test_the_limit_keeps_within_its_bounds():
    limiter = Limiter(first=16, most=20)
    server = VirtualServer(limiter, flat_from(1000))
    server.run(windows=100)
    assert server.peak <= 20
