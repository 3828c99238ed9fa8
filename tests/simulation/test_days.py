"""Days of work under the product's policy, in virtual time: deadlines, fair shares, no starving."""

import pytest

from support.simulation.days import Estimate, a_mix, fewest_late, guessed, learnt
from support.simulation.lanes_in_time import tokens_of_lanes
from support.simulation.makespan import bound, conversations, in_turn
from support.simulation.peers import fair_only, fifo
from support.simulation.virtual_engine import DAY, Load, Policy, VirtualEngine, ours

pytestmark = pytest.mark.system

QUANTUM_SECONDS = 600.0
HOUR = 3600.0


def late(policy: Policy, loads: list[Load]) -> int:
    engine = VirtualEngine(policy=policy, quantum_seconds=QUANTUM_SECONDS)
    return sum(load.is_late for load in engine.run(loads))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("days", [0.2, 1.0])
def test_nobody_is_late_who_need_not_be(seed: int, days: float) -> None:
    loads = a_mix(seed, 0.8, days)
    assert fewest_late(loads) == 0
    assert late(ours, loads) == 0


@pytest.mark.parametrize("seed", range(3))
def test_in_overload_no_more_are_late_than_must_be(seed: int) -> None:
    optimum = fewest_late(a_mix(seed, 1.2))
    assert optimum > 0
    assert late(ours, a_mix(seed, 1.2)) <= 1.2 * optimum
    assert late(fifo, a_mix(seed, 1.2)) > 2 * optimum, "the mix is a hard one"
    assert late(fair_only, a_mix(seed, 1.2)) > 2 * optimum


@pytest.mark.parametrize("known", [guessed, learnt])
def test_sizes_that_are_found_out_on_the_way_make_nobody_late(known: Estimate) -> None:
    loads = known(a_mix(0, 0.8, 0.2), conversations(seed=0, count=1000), 0.3)
    assert late(ours, loads) == 0


def test_sizes_that_are_found_out_on_the_way_cost_few_their_deadline_in_overload() -> None:
    loads = a_mix(2, 1.2)
    estimated = guessed(loads, conversations(seed=0, count=1000), 0.3)
    assert late(ours, estimated) <= 1.2 * fewest_late(loads)


@pytest.mark.parametrize("huge_seconds", [60_000.0, 80_000.0, 500_000.0])
@pytest.mark.parametrize("seconds", [10.0, 300.0, 3600.0])
def test_a_small_job_beside_a_huge_one_takes_twice_its_time_at_most(
    seconds: float, huge_seconds: float
) -> None:
    small = Load(name="small", project="small", arrives=1000.0, seconds=seconds)
    huge = Load(name="huge", project="huge", arrives=0.0, seconds=huge_seconds)
    engine = VirtualEngine(policy=ours, quantum_seconds=10.0)
    engine.run([huge, small], until=20_000.0)
    # Its last quantum may be on one lane while the others are not its own.
    assert small.took <= 1.1 * 2 * max(seconds, engine.quantum_seconds)


def test_counters_of_projects_that_wait_stay_within_the_bound() -> None:
    loads = [
        Load(name=f"{project}-{part}", project=project, arrives=0.0, seconds=3000.0 / parts)
        for project, parts in (("one", 1), ("two", 20), ("three", 100))
        for part in range(parts)
    ]
    engine = VirtualEngine(policy=ours, quantum_seconds=10.0, watched=True)
    engine.run(loads, until=8000.0)
    assert 0 < engine.gap.widest <= engine.gap_bound


def test_weights_are_kept_to() -> None:
    loads = [
        Load(name=name, project=name, arrives=0.0, seconds=20_000.0) for name in ("light", "heavy")
    ]
    engine = VirtualEngine(policy=ours, quantum_seconds=10.0, weights={"heavy": 3})
    engine.run(loads, until=8000.0)
    light, heavy = (load.seconds - load.left - load.running for load in loads)
    assert heavy / light == pytest.approx(3, rel=0.05)


def test_no_priority_starves_a_job_of_the_same_project() -> None:
    low = Load(name="low", project="a", arrives=0.0, seconds=HOUR, priority=-1)
    stream = [
        Load(name=f"high-{n:03}", project="a", arrives=n * HOUR, seconds=HOUR, priority=9)
        for n in range(60)
    ]
    engine = VirtualEngine(policy=ours, quantum_seconds=QUANTUM_SECONDS)
    engine.run([low, *stream])
    assert low.took <= DAY.total_seconds()


def test_an_engine_that_is_asked_for_too_much_starves_nobody() -> None:
    """Small jobs come without end, more than can be done; a large one ends before it expires."""
    large = Load(name="large", project="large", arrives=0.0, seconds=10 * HOUR)
    stream = [
        Load(name=f"small-{n:03}", project=f"p{n % 3}", arrives=n * HOUR / 2, seconds=0.6 * HOUR)
        for n in range(120)
    ]
    engine = VirtualEngine(policy=ours, quantum_seconds=QUANTUM_SECONDS)
    engine.run([large, *stream])
    assert large.took < 2 * DAY.total_seconds()


def test_lanes_that_know_the_lengths_end_near_the_bound() -> None:
    lengths = conversations(seed=0, count=200)
    took = tokens_of_lanes(lengths, 16, known=True)
    assert 1.0 <= took / bound(lengths, 16) <= 1.07
    assert took < in_turn(lengths, 16), "who knows nothing is later"


def test_lanes_that_know_no_lengths_help_each_other() -> None:
    lengths = conversations(seed=0, count=200)
    took = tokens_of_lanes(lengths, 4, known=False)
    assert took <= 1.02 * in_turn(lengths, 4)
