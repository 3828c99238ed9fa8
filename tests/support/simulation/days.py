"""Days of work by seed: which jobs come when, how large they are, and what could be on time."""

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from statistics import mean

from support.simulation.answers_in_time import Answers
from support.simulation.virtual_engine import DAY, TOKENS_PER_SECOND, Load

# Makes loads of known sizes to loads of answers: of these lengths, so far apart from each other.
Estimate = Callable[[Sequence[Load], Sequence[int], float], list[Load]]

PROJECTS = 8
DAY_SECONDS = DAY.total_seconds()


def a_mix(seed: int, rho: float, days: float = 1.0) -> list[Load]:
    """Return jobs that come within `days` and ask for `rho` of what can be done by the last target.

    Sizes are spread from minutes to half a day, as batches are; a few projects send most.
    """
    chance = random.Random(seed)
    loads: list[Load] = []
    wanted = rho * (days + 1) * DAY_SECONDS
    while wanted > 0:
        seconds = min(math.exp(chance.gauss(7.2, 1.4)), DAY_SECONDS / 2, wanted)
        project = min(int(chance.expovariate(0.5)), PROJECTS - 1)
        loads.append(
            Load(
                name=f"job-{len(loads):04}",
                project=f"project-{project}",
                arrives=chance.uniform(0, days * DAY_SECONDS),
                seconds=max(seconds, 1.0),
                surprise=chance.gauss(0, 1),
            )
        )
        wanted -= seconds
    return loads


def guessed(loads: Sequence[Load], lengths: Sequence[int], spread: float) -> list[Load]:
    """Return the loads, each of requests with answers as long as those, in tokens.

    Before one is finished, their mean length is known to a factor of e^±spread.
    """
    drawn = [_lengths(load, lengths, 1.0) for load in loads]
    return [
        replace(
            load,
            answers=Answers(
                answers, load.seconds, mean(answers) * math.exp(spread * load.surprise)
            ),
        )
        for load, answers in zip(loads, drawn, strict=True)
    ]


def learnt(loads: Sequence[Load], lengths: Sequence[int], spread: float) -> list[Load]:
    """Return the same, but nothing is known of a load except how others of its project are.

    The answers of a load are all longer or all shorter than those, by a factor of e^±spread.
    """
    return [
        replace(
            load,
            answers=Answers(
                _lengths(load, lengths, math.exp(spread * load.surprise)), load.seconds, None
            ),
        )
        for load in loads
    ]


def _lengths(load: Load, lengths: Sequence[int], factor: float) -> list[int]:
    chance = random.Random(load.name)
    left = max(1, round(load.seconds * TOKENS_PER_SECOND))
    drawn: list[int] = []
    while left > 0:
        drawn.append(min(max(1, round(factor * chance.choice(lengths))), left))
        left -= drawn[-1]
    return drawn


def fewest_late(loads: Sequence[Load]) -> int:
    """Return how many are late in the best plan that knows the future.

    Whoever comes first is due first, so the rule of Kise, Ibaraki and Mine gives the optimum: add
    jobs by deadline, and when one ends late, leave out the one without which the rest ends first.
    """
    kept: list[Load] = []
    late = 0
    for load in sorted(loads, key=lambda it: (it.arrives, it.name)):
        kept.append(load)
        if _end(kept) > load.target:
            without = min(
                range(len(kept)), key=lambda place: _end(kept[:place] + kept[place + 1 :])
            )
            del kept[without]
            late += 1
    return late


def _end(loads: Sequence[Load]) -> float:
    now = 0.0
    for load in loads:
        now = max(now, load.arrives) + load.seconds
    return now
