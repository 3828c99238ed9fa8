"""The pauses between the tries of a delivery: each twice the last one, with chance in it."""

import random
from datetime import timedelta

FIRST = timedelta(seconds=5)
LONGEST = timedelta(hours=2)
DOUBLINGS_MAX = 16
SPREAD = 0.25  # so that what failed together is not tried together again


def pause_after(attempts: int, chance: random.Random) -> timedelta:
    """Return the pause after so many tries, of which there was one at least."""
    doubled = FIRST * (1 << min(attempts - 1, DOUBLINGS_MAX))
    return min(doubled, LONGEST) * chance.uniform(1 - SPREAD, 1 + SPREAD)
