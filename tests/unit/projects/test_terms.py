"""The terms of a project: what keeps a batch from going on, and until when."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from support.fake_clock import NOON
from toplu.job import JobId
from toplu.projects.terms import NO_TERMS, Caps, Hold, Terms, next_day
from toplu.run_hours import RunHours
from toplu.settings.server import TierSettings
from toplu.store.rows.spent import Spent

BATCH = JobId("one")
HOUR = timedelta(hours=1)
MIDNIGHT = next_day(NOON)
EVENING = RunHours.of("18:00-20:00", "UTC")


def terms(*, today: int = 0, batch: int = 0, **caps: object) -> Terms:
    return Terms(caps=Caps(**caps), spent=Spent(today=today, batches={BATCH: batch}))  # type: ignore[arg-type]


def test_without_caps_everything_goes_on() -> None:
    assert NO_TERMS.hold(BATCH, NOON) is None
    assert NO_TERMS.goes_on(BATCH, NOON) == NOON
    assert NO_TERMS.after(NOON, HOUR, 10**20) == NOON + HOUR
    assert NO_TERMS.time_for(NOON, NOON - HOUR) == -HOUR


def test_a_tier_says_them() -> None:
    tier = TierSettings(
        name="night", run="22:00-06:00", spend_per_day="12.5", spend_per_batch="0.00001"
    )
    caps = Caps.of(tier)
    assert str(caps.hours) == "22:00-06:00 UTC"
    assert (caps.of_day, caps.of_batch) == (12_500_000_000_000, 10_000_000)
    assert Caps.of(TierSettings(name="free")) == NO_TERMS.caps


@pytest.mark.parametrize(
    ("found", "hold", "goes_on"),
    [
        (terms(hours=EVENING), Hold.WINDOW, NOON + 6 * HOUR),
        (terms(of_day=10, today=9), None, NOON),
        (terms(of_day=10, today=10), Hold.BUDGET, MIDNIGHT),
        (terms(of_day=10, today=11, hours=EVENING), Hold.BUDGET, MIDNIGHT + 18 * HOUR),
        (terms(of_batch=5, batch=4), None, NOON),
        (terms(of_batch=5, batch=5, today=5), Hold.BUDGET, None),
    ],
)
def test_a_batch_waits_for_its_hours_and_for_the_next_day(
    found: Terms, hold: Hold | None, goes_on: datetime | None
) -> None:
    assert found.hold(BATCH, NOON) is hold
    assert found.goes_on(BATCH, NOON) == goes_on
    other = replace(found, spent=replace(found.spent, batches={}))
    if goes_on is None:
        assert other.hold(JobId("another"), NOON) is None


@pytest.mark.parametrize(
    ("cost", "end"),
    [
        (4, NOON + HOUR),  # what is left of today
        (5, MIDNIGHT),
        (14, MIDNIGHT),
        (15, MIDNIGHT + 24 * HOUR),
    ],
)
def test_what_a_day_cannot_pay_is_for_the_next_ones(cost: int, end: datetime) -> None:
    assert terms(of_day=10, today=6).after(NOON, HOUR, cost) == end


def test_hours_and_money_hold_together() -> None:
    found = terms(of_day=10, hours=EVENING)
    assert found.after(NOON, 3 * HOUR, 0) == NOON + 31 * HOUR
    assert found.after(NOON, HOUR, 11) == MIDNIGHT + 18 * HOUR
    assert found.time_for(NOON, MIDNIGHT) == 2 * HOUR
