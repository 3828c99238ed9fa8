"""The running mean of how fast an engine is, over the time in which it was busy."""

from datetime import timedelta

import pytest

from support.fake_clock import NOON
from toplu.batch.schedule.throughput import Throughput
from toplu.money import Usage

SECOND = timedelta(seconds=1)
USAGE = Usage(prompt_tokens=100, cached_tokens=50, output_tokens=10)


def test_nothing_is_known_before_it_was_busy_for_a_while() -> None:
    speed = Throughput()
    speed.add(USAGE, NOON)
    speed.begin(NOON)
    speed.add(USAGE, NOON + SECOND)
    assert speed.work_per_second is None


def test_the_mean_is_over_the_busy_time() -> None:
    speed = Throughput()
    speed.begin(NOON)
    speed.add(USAGE, NOON + SECOND)
    speed.add(USAGE, NOON + 10 * SECOND)
    assert speed.work_per_second == pytest.approx(2 * USAGE.work / 10)
    assert speed.read_per_second == pytest.approx(2 * 50 / 10)
    assert speed.written_per_second == pytest.approx(2 * 10 / 10)


def test_time_without_work_does_not_count() -> None:
    speed = Throughput()
    speed.begin(NOON)
    speed.add(USAGE, NOON + 10 * SECOND)
    speed.end(NOON + 10 * SECOND)
    speed.add(USAGE, NOON + 900 * SECOND)
    speed.begin(NOON + 1000 * SECOND)
    speed.add(USAGE, NOON + 1010 * SECOND)
    assert speed.work_per_second == pytest.approx(USAGE.work / 10)


def test_a_change_of_speed_is_followed() -> None:
    speed = Throughput()
    speed.begin(NOON)
    for step in range(1, 200):
        usage = USAGE if step < 100 else USAGE + USAGE
        speed.add(usage, NOON + 10 * step * SECOND)
    assert speed.work_per_second == pytest.approx(2 * USAGE.work / 10, rel=0.01)


def test_a_clock_that_is_put_back_measures_nothing() -> None:
    speed = Throughput()
    speed.begin(NOON)
    speed.add(USAGE, NOON - 3600 * SECOND)
    assert speed.work_per_second is None
