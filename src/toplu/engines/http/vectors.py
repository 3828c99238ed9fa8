"""Brings the vectors of servers to the form that all embedders have."""

import itertools
import math
from collections.abc import Sequence

from toplu.engines.http.connection import lost
from toplu.engines.http.fault import ServerAway

# Vectors are single precision; further decimals would be noise that every result carries.
DECIMALS = 9


def unit_vector(values: Sequence[float], dimensions: int) -> list[float]:
    """Return the vector at length one, or raise ServerFault if it is not the model's."""
    if len(values) != dimensions:
        raise ServerAway(
            f"the server's vectors have {len(values)} dimensions, "
            f"those of the model {dimensions} by its settings"
        )
    length = math.hypot(*values)
    if not length or not math.isfinite(length):
        raise lost("the server returned a vector that has no length")
    return [round(value / length, DECIMALS) for value in values]


def shared_out(total: int, weights: Sequence[int]) -> list[int]:
    """Return whole shares that add up: one each, the rest in proportion to the weights.

    Where there is not even one for each, some have none.
    """
    least = 1 if total >= len(weights) else 0
    rest = total - least * len(weights)
    reached = itertools.accumulate(weights, initial=0)
    ends = [rest * weight // (sum(weights) or 1) for weight in reached]
    ends[-1] = rest
    return [least + end - begin for begin, end in itertools.pairwise(ends)]
