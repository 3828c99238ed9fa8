"""Finds the jobs that can still be on time, and how little else an engine may do until they are.

Earliest deadline first meets every deadline that can be met. It need not run all the time: as
long as every deadline has slack, any job may be served, and only when the slack of some deadline
is nearly used up do the jobs up to it go first. Even then those go beside them that are short
enough for the rest of the slack: nobody waits for hours behind a large job that can spare the
minutes. Where not all can be met, the set of Moore and Hodgson
is the largest that can; the others are served as well, but no deadline of theirs is waited for.
"""

import heapq
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from toplu.job import JobId


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A job's rest of work, and when it is to be done."""

    job: JobId
    deadline: datetime
    seconds: float  # that the whole engine takes for the rest
    window_seconds: float  # that the job has in all, of which its margins are parts


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """The demands of all deadlines together."""

    urgent: frozenset[JobId]  # go first, but for what is owed to others
    presses: bool  # hardly any slack is left
    at_risk: frozenset[JobId]  # cannot be on time unless others are late
    short: frozenset[JobId]  # so short that all of them may go before the urgent ones


# Of a job's window: 2.4 hours and half an hour of 24.
SOFT_MARGIN = 0.1
HARD_MARGIN = 0.02
# Of the work before a deadline: what an estimate may be wrong by.
DOUBT = 0.05


def look_ahead(jobs: Iterable[Due], now: datetime) -> Outlook:
    """Return which jobs are urgent, which cannot be on time, and which may go before them."""
    in_order = sorted(jobs, key=lambda due: (due.deadline, due.job))
    at_risk = _without_hope(in_order, now)
    urgent = 0  # so many of those in order, but for those at risk
    presses = False
    demand, spare = 0.0, math.inf
    guests: list[tuple[Due, float]] = []
    for place, due in enumerate(in_order, start=1):
        if due.job in at_risk:
            continue
        # What is done for this job costs the slack of earlier deadlines only: its own has it.
        if not math.isinf(spare):
            guests.append((due, spare))
        demand += due.seconds
        slack = (due.deadline - now).total_seconds() - demand
        hard = HARD_MARGIN * due.window_seconds
        spare = min(spare, slack - hard)
        is_pressing = slack <= hard + DOUBT * demand
        presses = presses or is_pressing
        if is_pressing or slack <= SOFT_MARGIN * due.window_seconds:
            urgent = place
    guests += [(due, spare) for due in in_order if due.job in at_risk]
    return Outlook(
        urgent=frozenset(due.job for due in in_order[:urgent] if due.job not in at_risk),
        presses=presses,
        at_risk=at_risk,
        short=frozenset(_shortest(guests)),
    )


def _shortest(guests: Iterable[tuple[Due, float]]) -> Iterator[JobId]:
    """Yield the jobs that can be done one after another in the time that there is for each."""
    seconds = 0.0
    for due, spare in sorted(guests, key=lambda guest: (guest[0].seconds, guest[0].job)):
        if seconds + due.seconds <= spare:
            seconds += due.seconds
            yield due.job


def _without_hope(in_order: Iterable[Due], now: datetime) -> frozenset[JobId]:
    """Return the fewest jobs without which all others can be on time (Moore and Hodgson)."""
    largest: list[tuple[float, JobId]] = []
    demand = 0.0
    left_out = []
    for due in in_order:
        heapq.heappush(largest, (-due.seconds, due.job))
        demand += due.seconds
        if demand > (due.deadline - now).total_seconds():
            seconds, job = heapq.heappop(largest)
            demand += seconds
            left_out.append(job)
    return frozenset(left_out)
