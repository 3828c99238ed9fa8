"""The promises about batches hold alike at both APIs."""

import itertools
import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from support.api.batch_doors import DOORS, Door, Outcome, door_of
from support.api.local_server import ECHO, SLOW, OpenServer
from support.fake_clock import FakeClock
from support.waiting import eventually
from toplu.batch.plan.order import unpack
from toplu.settings.server import EchoSettings, PriceSettings, TierSettings

PRICED = replace(ECHO, price=PriceSettings(input="1", output="2"))
# Its one lane answers a word in no time, and is busy for minutes with what is long.
SLOW_READER = replace(
    ECHO, lanes=1, echo=EchoSettings(word_seconds=0.05, fail_pattern="please fail")
)
LONG = "word " * 2000

Open = Callable[..., Door]


@pytest.fixture(params=DOORS)
def open_door(request: pytest.FixtureRequest, open_test_server: OpenServer) -> Iterator[Open]:
    """Start a server with the settings given, and call it by one of the APIs."""
    with ExitStack() as doors:
        yield lambda **settings: doors.enter_context(
            door_of(open_test_server(**settings), request.param)
        )


def half_done(door: Door, clock: FakeClock | None = None) -> str:
    """Return a batch of which all is durable but the long request, its second."""
    name = door.made(["one", LONG, "please fail", "four"])

    def others_done() -> bool:
        if clock is not None:
            clock.advance(timedelta(seconds=1))
        return len(door.results(name)[1]) == 3

    eventually(others_done)
    return name


HALF = [Outcome("k0", "one"), Outcome("k2", None), Outcome("k3", "four")]


def test_results_are_in_the_order_of_the_input_each_once(open_door: Open) -> None:
    door = open_door()
    texts = [f"{'abc'[n % 3] * 50} question {n}" for n in range(500)]
    name = door.made(texts)
    seen = door.finish(name)
    assert (seen.state, seen.total, seen.succeeded) == ("succeeded", 500, 500)
    expected = [Outcome(f"k{n}", text) for n, text in enumerate(texts)]
    assert door.outcomes(name) == expected
    assert door.results(name) == (True, expected)


def test_results_so_far_are_read_while_it_runs_and_after_a_cancel(open_door: Open) -> None:
    door = open_door(models=(SLOW_READER,))
    name = half_done(door)
    assert door.look(name).state == "unfinished"
    assert door.results(name) == (False, HALF)
    assert door.call(name, "cancel", "POST").status_code == 200
    assert door.look(name).state == "cancelled"
    assert door.results(name) == (False, HALF)


@pytest.mark.parametrize("api", DOORS)
def test_results_so_far_outlive_an_expiry(open_test_server: OpenServer, api: str) -> None:
    clock = FakeClock()
    server = open_test_server(models=(SLOW_READER,), clock=clock)
    with door_of(server, api) as door:
        name = half_done(door, clock)
        clock.advance(timedelta(hours=49))
        server.call(server.server.pipeline.tidy())
        assert door.look(name).state == "expired"
        assert door.results(name) == (False, HALF)


def test_a_receipt_counts_again_and_balances(open_door: Open) -> None:
    door = open_door()
    name = door.made(["one", "please fail", "two words"])
    assert (door.finish(name).succeeded, door.look(name).failed) == (2, 1)
    receipt = door.call(name, "receipt").json()
    assert receipt["balances"] is True
    assert receipt["outcomes"] == {
        "succeeded": "2",
        "failed": {"INTERNAL": "1"},
        "notReached": "0",
    }


def test_a_receipt_has_to_wait_for_the_end(open_door: Open) -> None:
    door = open_door(models=(SLOW,))
    name = door.made(["x", "y"])
    assert door.call(name, "receipt").status_code == 400
    door.call(name, "cancel", "POST")
    receipt = door.call(name, "receipt").json()
    assert (receipt["outcomes"]["notReached"], receipt["balances"]) == ("2", True)


def test_a_retry_runs_what_failed_once(open_door: Open) -> None:
    door = open_door()
    name = door.made(["a", "please fail", "c", "please fail again"])
    assert door.finish(name).failed == 2
    made = door.call(name, "retry", "POST")
    assert made.status_code == 200, made.text
    again = door.name_of(made)
    seen = door.finish(again)
    assert (seen.total, seen.failed) == (2, 2)
    assert door.outcomes(again) == [Outcome("k1", None), Outcome("k3", None)]
    assert door.call(name, "retry", "POST").status_code == 400


def test_equal_requests_run_once(open_door: Open) -> None:
    door = open_door(models=(PRICED,))
    name = door.made(["the same"] * 5 + ["another"], temperature=0, seed=7)
    seen = door.finish(name)
    assert (seen.succeeded, seen.deduplicated) == (6, 4)
    assert door.outcomes(name) == [
        *(Outcome(f"k{n}", "the same") for n in range(5)),
        Outcome("k5", "another"),
    ]


def test_a_line_costs_half_of_a_call(open_door: Open) -> None:
    door = open_door(models=(PRICED,))
    seen = door.finish(door.made(["one two three"]))
    assert (seen.tokens, seen.cost) == (6, "0.0000045")  # (3 · 1 + 3 · 2) / 2 millionths


def test_unfinished_batches_are_bounded(open_door: Open) -> None:
    tier = TierSettings(name="small", concurrent_batches=1)
    door = open_door(models=(SLOW,), tiers=(tier,))
    name = door.made(["x"])
    refused = door.create(["x"])
    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) > 0
    door.call(name, "cancel", "POST")
    assert door.create(["x"]).status_code == 200


def test_enqueued_tokens_are_bounded_and_come_back(open_door: Open) -> None:
    tier = TierSettings(name="small", enqueued_tokens=300)
    door = open_door(models=(SLOW,), tiers=(tier,))
    name = door.made(["x" * 600])
    assert door.create(["x" * 600]).status_code == 429
    door.call(name, "cancel", "POST")
    assert door.create(["x" * 600]).status_code == 200


def test_requests_that_share_a_prefix_are_neighbours_in_the_plan(
    open_door: Open, tmp_path: Path
) -> None:
    door = open_door(models=(SLOW,))
    texts = [f"{letter * 200} {n}" for letter in "abcd" for n in range(8)]
    random.Random(7).shuffle(texts)
    job = door.job_of(door.made(texts))
    order = (tmp_path / "data" / "blobs" / "jobs" / job / "order").read_bytes()
    letters = [texts[entry.index][0] for entry in unpack(order)]
    assert sum(one != two for one, two in itertools.pairwise(letters)) == 3


def test_a_dry_run_foresees_the_batch_and_makes_none(open_door: Open) -> None:
    door = open_door(models=(PRICED,))
    texts = [f"Tell me of {n}, please" for n in range(30)]
    texts += [*texts[:5], "word " * 5000]  # which is too long for the model
    told = door.foresee(texts, temperature=0)
    assert (told.total, told.faulty, told.duplicates) == (36, ["k35"], 5)
    seen = door.finish(door.made(texts, temperature=0))
    assert (seen.total, seen.failed, seen.deduplicated) == (36, 1, 5)
    assert told.prompt_tokens < seen.tokens
    lowest, highest = told.cost
    assert lowest <= float(seen.cost) <= highest
