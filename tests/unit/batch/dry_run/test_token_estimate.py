"""The tokens of all requests, from those that were counted."""

import random

from hypothesis import given
from hypothesis import strategies as st

from toplu.batch.dry_run.token_estimate import Counted, Estimate, estimate_total


def population(count: int, noise: int, seed: int = 1) -> list[Counted]:
    """Return requests of 30 tokens each beside one for every four bytes, and some noise."""
    drawn = random.Random(seed)
    sizes = [drawn.randrange(20, 4000) for _ in range(count)]
    return [Counted(size, 30 + size // 4 + drawn.randint(-noise, noise)) for size in sizes]


def estimated(sample: list[Counted], everything: list[Counted]) -> Estimate:
    text_bytes = sum(it.text_bytes for it in everything)
    return estimate_total(sample, count=len(everything), text_bytes=text_bytes)


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(1, 10**5)), min_size=1))
def test_what_was_all_counted_is_exact(drawn: list[tuple[int, int]]) -> None:
    everything = [Counted(*it) for it in drawn]
    estimate = estimated(everything, everything)
    total = sum(it.tokens for it in everything)
    assert abs(estimate.total - total) <= 1e-6 * total + 1e-6
    assert estimate.error == 0


def test_the_truth_is_within_the_error_as_often_as_is_said() -> None:
    everything = population(20_000, noise=12)
    truth = sum(it.tokens for it in everything)
    held = 0
    for seed in range(200):
        sample = random.Random(seed).sample(everything, 400)
        estimate = estimated(sample, everything)
        assert estimate.error < 0.01 * truth
        held += abs(estimate.total - truth) <= estimate.error
    assert held >= 180


def test_the_bytes_of_the_others_are_made_use_of() -> None:
    everything = population(10_000, noise=0)
    shortest = sorted(everything, key=lambda it: it.text_bytes)[:500]
    truth = sum(it.tokens for it in everything)
    assert abs(estimated(shortest, everything).total - truth) < 0.01 * truth


def test_of_a_handful_the_mean_is_taken() -> None:
    sample = [Counted(100, 50), Counted(300, 150)]
    estimate = estimate_total(sample, count=10, text_bytes=2000)
    assert estimate.total == 1000
    assert estimate_total([Counted(0, 258)], count=3, text_bytes=0).total == 774


def test_nothing_counted_is_nothing_known() -> None:
    assert estimate_total([], count=5, text_bytes=100) == Estimate()


def test_two_estimates_add_up() -> None:
    one = Estimate(total=10, error=3, counted=2, tokens_a_byte=0.25)
    both = one + Estimate(total=5, error=4, counted=1)
    assert (both.total, both.error, both.counted, both.tokens_a_byte) == (15, 5, 3, 0.25)
