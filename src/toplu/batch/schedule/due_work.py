"""Says of all work that is due whether it will be done by then, and what would have it done. Pure.

Work due by a target is all that is due by it or before: earliest deadline first, as
`batch.schedule.deadlines`, but of sums, whatever the number of jobs.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

SECONDS_LEAST = 900.0  # in which what is due at once, or late, ought to be done


@dataclass(frozen=True, slots=True, kw_only=True)
class DueWork:
    """Work of an engine, and when it ought to be done."""

    target: datetime
    work: float  # see `money.Usage.work`


def slack(due: Iterable[DueWork], now: datetime, work_per_second: float) -> float:
    """Return the least time that remains to a target once all work due by it is done, in seconds.

    Negative: a target will be missed.
    """
    return min((it.target - now).total_seconds() - it.work / work_per_second for it in _summed(due))


def replicas_wanted(due: Iterable[DueWork], now: datetime, work_per_second: float) -> int:
    """Return how many replicas, each of that speed, would have all done by their targets."""
    return max(
        math.ceil(
            it.work / (work_per_second * max((it.target - now).total_seconds(), SECONDS_LEAST))
        )
        for it in _summed(due)
    )


def _summed(due: Iterable[DueWork]) -> Iterator[DueWork]:
    """Yield each target with all the work that is due by it."""
    work = 0.0
    for it in sorted(due, key=lambda it: it.target):
        work += it.work
        yield DueWork(target=it.target, work=work)
