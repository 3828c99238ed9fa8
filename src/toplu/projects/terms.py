"""The hours in which batches of a project run, and the money that they may cost. Pure.

not in the hours of its tier ──▶ WINDOW      its day or the batch has spent what it may ──▶ BUDGET
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from typing import Self

from toplu.job import JobId
from toplu.money import units_of
from toplu.run_hours import RunHours
from toplu.settings.server import TierSettings
from toplu.store.rows.spent import Spent


class Hold(StrEnum):
    """Names what keeps a batch from going on, though its engine is free."""

    WINDOW = "WINDOW"
    BUDGET = "BUDGET"


@dataclass(frozen=True, slots=True, kw_only=True)
class Caps:
    """The bounds that a tier sets; None is no bound. Money is in units of the currency."""

    hours: RunHours | None = None
    of_day: int | None = None
    of_batch: int | None = None

    @classmethod
    def of(cls, tier: TierSettings) -> Self:
        """Return what the tier sets; its `run` is well written, as settings are checked."""
        return cls(
            hours=None if tier.run is None else RunHours.of(tier.run, tier.time_zone),
            of_day=None if tier.spend_per_day is None else units_of(tier.spend_per_day),
            of_batch=None if tier.spend_per_batch is None else units_of(tier.spend_per_batch),
        )

    @property
    def is_of_money(self) -> bool:
        """Whether what was spent matters."""
        return self.of_day is not None or self.of_batch is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The caps of a project, and what it has spent."""

    caps: Caps = field(default_factory=Caps)
    spent: Spent = field(default_factory=Spent)

    def hold(self, batch: JobId, now: datetime) -> Hold | None:
        """Return what keeps the batch from going on; None: nothing does."""
        if self.is_batch_used_up(batch) or self.is_day_used_up:
            return Hold.BUDGET
        if self.caps.hours is not None and not self.caps.hours.is_open(now):
            return Hold.WINDOW
        return None

    def is_batch_used_up(self, batch: JobId) -> bool:
        """Return whether the batch itself has cost all that it may: it goes on with another cap."""
        cap = self.caps.of_batch
        return cap is not None and self.spent.batches.get(batch, 0) >= cap

    @property
    def is_day_used_up(self) -> bool:
        """Whether the project has spent all that it may today."""
        return self.caps.of_day is not None and self.spent.today >= self.caps.of_day

    def goes_on(self, batch: JobId, now: datetime) -> datetime | None:
        """Return when the batch may go on, now or later; None: as things are, never."""
        if self.is_batch_used_up(batch):
            return None
        begins = next_day(now) if self.is_day_used_up else now
        return begins if self.caps.hours is None else self.caps.hours.next_open(begins)

    def time_for(self, start: datetime, end: datetime) -> timedelta:
        """Return how much of the time from `start` to `end` batches run."""
        hours = self.caps.hours
        return end - start if hours is None else hours.open_between(start, end)

    def after(self, start: datetime, work: timedelta, cost: int) -> datetime:
        """Return when so much time at work, that costs so much in all, has passed.

        Each day has its budget, which lasts from midnight on.
        """
        hours, budget = self.caps.hours, self.caps.of_day
        end = start + work if hours is None else hours.after(start, work)
        if budget is None or cost <= (left := budget - self.spent.today):
            return end
        days = -(-(cost - max(left, 0)) // budget)
        last = next_day(start) + timedelta(days=min(days, DAYS_MAX) - 1)
        return max(end, last if hours is None else hours.next_open(last))


DAYS_MAX = 400  # further ahead a time says nothing
NO_TERMS = Terms()


def next_day(moment: datetime) -> datetime:
    """Return when the next day begins, in UTC, by which money is counted."""
    day = moment.astimezone(UTC).date() + timedelta(days=1)
    return datetime.combine(day, time(), UTC)


def with_more(spent: Spent, more: Counter[JobId]) -> Spent:
    """Return what was spent with that which is not in it yet, by batch."""
    return Spent(
        today=spent.today + more.total(),
        batches={name: cost + more[name] for name, cost in spent.batches.items()},
    )
