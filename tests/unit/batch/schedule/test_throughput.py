"""The running mean of how fast an engine is, over the time in which it was busy."""

from datetime import timedelta

import pytest

from support.fake_clock import NOON
from toplu.batch.schedule.estimate import GUESS_COUNTS_AS, OUTPUT_TOKENS_GUESSED, work_left
from toplu.batch.schedule.throughput import Throughput
from toplu.job import InputForm, Job, JobId, ProjectId, RequestCounts
from toplu.money import WORK_OF_OUTPUT_TOKEN, Usage

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


def a_job(counts: RequestCounts, usage: Usage) -> Job:
    return Job(
        id=JobId("one"),
        project=ProjectId("a"),
        model="m",
        engine="echo",
        display_name=None,
        input_form=InputForm.FILE,
        input_file="input",
        counts=counts,
        usage=usage,
        tokens_estimate=1000,
        created=NOON,
        updated=NOON,
        expires=NOON,
    )


def test_the_work_left_is_guessed_from_the_size_at_first() -> None:
    job = a_job(RequestCounts(total=10), Usage())
    assert work_left(job) == 1000 * 10 + 10 * OUTPUT_TOKENS_GUESSED * WORK_OF_OUTPUT_TOKEN


def test_then_it_follows_what_requests_turned_out_as() -> None:
    counts = RequestCounts(total=2000, succeeded=900, failed=100)
    each = work_left(a_job(counts, Usage(output_tokens=1000 * 5))) / counts.pending
    measured = 5 * WORK_OF_OUTPUT_TOKEN
    guess = 10 * 1000 / 2000 + OUTPUT_TOKENS_GUESSED * WORK_OF_OUTPUT_TOKEN
    assert each == pytest.approx(
        (1000 * measured + GUESS_COUNTS_AS * guess) / (1000 + GUESS_COUNTS_AS)
    )


def test_an_empty_job_has_no_work() -> None:
    assert work_left(a_job(RequestCounts(), Usage())) == 0
