"""Computes how long a job takes on lanes side by side, by the order in which it is begun.

Every lane writes as fast as any other, whatever the others do: time is counted in tokens of one
lane. The product's own lanes are in `lanes_in_time`.
"""

import heapq
import random
from collections.abc import Sequence

LENGTH_MAX = 1024


def conversations(seed: int, count: int) -> list[int]:
    """Return lengths of answers as in a chat: most are short, a few ten times the median."""
    chance = random.Random(seed)
    lengths = (round(chance.lognormvariate(5.5, 0.75)) for _ in range(count))
    return [max(1, min(length, LENGTH_MAX)) for length in lengths]


def bound(lengths: Sequence[int], lanes: int) -> float:
    """Return what no order can beat: full lanes all the time, or the longest answer."""
    return max(sum(lengths) / lanes, *lengths)


def in_turn(lengths: Sequence[int], lanes: int) -> float:
    """Return the time of who gives whatever lane is free the next request of the file."""
    free = [0] * lanes
    for length in lengths:
        heapq.heappush(free, heapq.heappop(free) + length)
    return max(free)


def longest_first(lengths: Sequence[int], lanes: int) -> float:
    """Return the time of who knows the lengths and gives a free lane the longest that is left."""
    return in_turn(sorted(lengths, reverse=True), lanes)


def block_by_block(lengths: Sequence[int], lanes: int) -> float:
    """Return the time of who begins no block of requests before the last one has ended."""
    return sum(max(lengths[place : place + lanes]) for place in range(0, len(lengths), lanes))
