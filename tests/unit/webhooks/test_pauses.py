import random
from datetime import timedelta
from itertools import pairwise

from toplu.webhooks.pauses import pause_after

DAY = timedelta(hours=24)


def test_pauses_grow_from_seconds_to_hours_and_no_more() -> None:
    pauses = [pause_after(attempts, random.Random(1)) for attempts in range(1, 100)]
    assert timedelta(seconds=3) < pauses[0] < timedelta(seconds=7)
    assert all(before <= after for before, after in pairwise(pauses))
    assert timedelta(hours=1) < pauses[-1] < timedelta(hours=3)


def test_a_day_has_some_twenty_tries() -> None:
    chance = random.Random(2)
    passed, tries = timedelta(0), 1
    while passed < DAY:
        passed += pause_after(tries, chance)
        tries += 1
    assert 15 < tries < 30


def test_what_failed_together_is_not_tried_together_again() -> None:
    chance = random.Random(3)
    assert len({pause_after(5, chance) for _ in range(100)}) > 90
