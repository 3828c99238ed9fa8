"""Foresees the answers of a batch: how long they will be, what they cost, and when they are there.

The mean of earlier answers is what `batch.schedule.estimate` makes of them; here it becomes a
range, the wider the less is known, that holds nine of ten batches. Pure.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from toplu.batch.schedule.estimate import Expectations
from toplu.job import ANSWERS_OF_A_JOB, ProjectId
from toplu.money import Usage

# The means of a project's batches are within these factors of the mean of those before, nine times
# in ten; those of other projects' batches within the square of them.
SHORTER, LONGER = 1 / 3, 3.0


@dataclass(frozen=True, slots=True)
class Range:
    """The least and the most of something that is not known yet."""

    low: float
    high: float

    def __add__(self, other: "Range") -> "Range":
        return Range(self.low + other.low, self.high + other.high)


def output_range(
    expectations: Expectations, project: ProjectId, limits: Sequence[tuple[int, int]]
) -> Range:
    """Return how many tokens all answers have; `limits` are those of an answer, of how many each.

    Before an answer of the model was seen, they may have any length that they are allowed.
    """
    if not expectations.answers:
        return Range(low=sum(count for limit, count in limits if limit), high=_within(limits, None))
    mean = expectations.of(project).output_tokens
    doubt = 1 if expectations.answers_of(project) >= ANSWERS_OF_A_JOB else 2
    return Range(
        low=_within(limits, mean * SHORTER**doubt), high=_within(limits, mean * LONGER**doubt)
    )


def _within(limits: Sequence[tuple[int, int]], mean: float | None) -> float:
    """Return the tokens of all answers if their mean is as given; none is over its limit."""
    return sum(count * (limit if mean is None else min(limit, mean)) for limit, count in limits)


def usage_of(prompt_tokens: float, cached_tokens: float, output_tokens: float) -> Usage:
    """Return the usage in whole tokens."""
    prompt = round(prompt_tokens)
    return Usage(
        prompt_tokens=prompt,
        cached_tokens=min(prompt, round(cached_tokens)),
        output_tokens=round(output_tokens),
    )
