"""Days of work by seed: which jobs come when, how large they are, and what could be on time."""

import math
import random
from collections.abc import Sequence

from support.simulation.virtual_engine import DAY, Load

PROJECTS = 8
DAY_SECONDS = DAY.total_seconds()


def a_mix(seed: int, rho: float, days: float = 1.0, doubt: float = 0.0) -> list[Load]:
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
                doubt=math.exp(chance.gauss(0, doubt)),
            )
        )
        wanted -= seconds
    return loads


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
