"""Batches leave calls as much of a server as these need, and take it back when they cease."""

import itertools

import pytest

from support.fleet.virtual_server import SteppedServer
from toplu.engines.http.load import ServerLoad, Software
from toplu.fleet.remote.batch_seats import (
    HELD_SECONDS_MAX,
    BatchSeats,
    StepCosts,
    StepSample,
    step_sample,
)
from toplu.settings.remote import RemoteSettings

ON_A_PROCESSOR = {"fixed": 0.03, "each": 0.014}
ON_A_GRAPHICS_CARD = {"fixed": 0.03, "each": 0.00005}


def calls(server: SteppedServer, count: int, pause: float = 1.0) -> list[float]:
    """Return what a token took of each call."""
    took = []
    for _ in range(count):
        took.append(server.call())
        server.run(pause)
    return took


def test_before_calls_come_batches_have_everything() -> None:
    server = SteppedServer(**ON_A_PROCESSOR)
    server.run(30.0)
    assert server.seats.limit(server.capacity, 1) == server.capacity


def test_on_a_processor_calls_are_nearly_as_quick_as_beside_one_seat() -> None:
    server = SteppedServer(**ON_A_PROCESSOR)
    server.run(30.0)
    took = sorted(calls(server, 40))
    assert took[int(0.95 * 39)] <= 1.35 * server.beside(1)
    assert server.running >= 1


def test_on_a_graphics_card_batches_keep_what_they_have() -> None:
    server = SteppedServer(**ON_A_GRAPHICS_CARD, capacity=128, answer_tokens=200)
    server.run(60.0)
    calls(server, 20)  # until it is known what few cost
    begun, tokens = server.now, server.tokens
    took = calls(server, 20)
    assert max(took) <= 1.35 * server.beside(1)
    rate = (server.tokens - tokens) / (server.now - begun)
    assert rate >= 0.85 * (server.capacity - 1) / server.beside(server.capacity - 1)


def test_the_seats_do_not_swing_while_calls_come() -> None:
    server = SteppedServer(**ON_A_PROCESSOR)
    server.run(30.0)
    calls(server, 10)
    limits = []
    for _ in range(40):
        calls(server, 1)
        limits.append(server.seats.limit(server.capacity, 1))
    changes = [abs(after - before) for before, after in itertools.pairwise(limits)]
    assert max(changes) <= 1


@pytest.mark.parametrize("pause", [0.2, 2.0, 10.0])
def test_they_come_back_when_calls_cease_and_not_between_them(pause: float) -> None:
    server = SteppedServer(**ON_A_PROCESSOR)
    server.run(30.0)
    calls(server, 10, pause)
    assert server.seats.limit(server.capacity, 1) < 8
    server.run(HELD_SECONDS_MAX + 10.0)
    assert server.seats.limit(server.capacity, 1) == server.capacity


def test_one_call_alone_is_forgotten_soon() -> None:
    server = SteppedServer(**ON_A_PROCESSOR)
    server.run(30.0)
    server.call()
    server.run(20.0)
    assert server.seats.limit(server.capacity, 1) == server.capacity


def test_a_share_that_is_set_is_kept_to_whatever_steps_cost() -> None:
    now = 0.0
    seats = BatchSeats(RemoteSettings(interactive_share=0.25), now=lambda: now)
    seats.call_came()
    assert seats.limit(32, 1) == 8
    assert not seats.is_far_over(32, 1)


def test_without_figures_batches_keep_everything() -> None:
    seats = BatchSeats(RemoteSettings(), now=lambda: 0.0)
    seats.call_came()
    assert seats.limit(32, 1) == 32
    assert not seats.is_far_over(32, 1)


def test_several_servers_have_so_many_seats_each() -> None:
    seats = BatchSeats(RemoteSettings(), now=lambda: 0.0)
    server = SteppedServer(**ON_A_PROCESSOR)
    server.run(30.0)
    calls(server, 10)
    seats.costs = server.seats.costs
    seats.call_came()
    assert seats.limit(128, 4) >= 4


def test_nothing_is_broken_off_before_it_is_known_that_fewer_are_quicker() -> None:
    seats = BatchSeats(RemoteSettings(), now=lambda: 0.0)
    seats.costs.note(StepSample(32, 1.0))
    seats.call_came()
    assert seats.limit(32, 1) == 1, "none is begun until more is known"
    assert not seats.is_far_over(32, 1)
    seats.costs.note(StepSample(2, 0.1))
    assert seats.is_far_over(32, 1)


def test_a_line_is_found_through_steps_of_any_size() -> None:
    costs = StepCosts()
    for running in (1, 3, 8, 30):
        sample = step_sample(load_of(0, 0.0, running), load_of(100, 10.0 + running, running))
        assert sample is not None
        costs.note(sample)
    assert costs.seconds(20) == pytest.approx(0.3)
    assert costs.most_within(0.2) == pytest.approx(10)


@pytest.mark.parametrize(("steps", "before", "after"), [(3, 8, 8), (100, 0, 8), (100, 4, 8)])
def test_steps_that_tell_nothing_are_no_sample(steps: int, before: int, after: int) -> None:
    assert step_sample(load_of(0, 0.0, before), load_of(steps, 1.0, after)) is None


def load_of(steps: int, seconds: float, running: int) -> ServerLoad:
    return ServerLoad(
        software=Software.VLLM, running=running, waiting=0, steps=steps, step_seconds=seconds
    )
