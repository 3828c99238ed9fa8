"""Fair shares and deadlines hold in the whole server, not in its policy alone.

So they do where the lanes are divided among two workers, which see in rows alone what the other is
at: off by at most what is in flight, which is a quantum of each lane.
"""

import pytest

from support.simulation.tenants_in_time import LANES, seconds_of

pytestmark = pytest.mark.system

TOKENS = 40  # of each answer: a second of a lane
QUANTUM_SECONDS = 10.0


def job(
    project: str, requests: int, arrives: float = 0.0, tokens: int = TOKENS
) -> dict[str, object]:
    return {"project": project, "requests": requests, "tokens": tokens, "arrives": arrives}


@pytest.mark.parametrize("workers", [1, 2])
def test_a_small_job_beside_a_huge_one_takes_twice_its_time_at_most(workers: int) -> None:
    requests = 80
    (alone,) = seconds_of([job("small", requests)], until=200.0)
    huge, beside = seconds_of(
        [job("huge", 1200), job("small", requests, 30.0)], until=200.0, workers=workers
    )
    assert alone >= requests / LANES
    assert huge is None
    # A quantum, of which the other has the lanes when it comes.
    assert beside <= 2 * alone + QUANTUM_SECONDS


@pytest.mark.parametrize("workers", [1, 2])
def test_who_came_first_has_no_more_than_its_share(workers: int) -> None:
    one, two = seconds_of([job("one", 400), job("two", 400, 5.0)], until=1000.0, workers=workers)
    assert abs(one - two) <= 2 * QUANTUM_SECONDS


@pytest.mark.parametrize(("comes_first", "workers"), [("it", 1), ("huge", 1), ("huge", 2)])
def test_a_deadline_that_presses_is_met_beside_a_huge_job(comes_first: str, workers: int) -> None:
    target, each = 1200.0, 4
    # More than half of the engine, its fair share: with that alone it would take 1.4 times as long.
    requests = {"it": int(0.7 * target * LANES / each), "huge": 1500}
    order = sorted(requests, key=lambda name: name != comes_first)
    took = seconds_of(
        [
            job(name, requests[name], 20.0 * place, each * TOKENS)
            for place, name in enumerate(order)
        ],
        until=1300.0,
        target=target,
        workers=workers,
    )
    assert took[order.index("huge")] is None
    # Of two owners each is off by what is in flight; the order of their commits decides how much.
    assert took[order.index("it")] <= target + (QUANTUM_SECONDS if workers > 1 else 0)
