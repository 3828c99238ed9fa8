"""The jobs of a batch are one batch to its client."""

from datetime import timedelta

import pytest

from support.store.rows import NOON, a_job
from toplu.batch.results.whole import whole_of
from toplu.job import JobState, RequestCounts
from toplu.money import Usage


@pytest.mark.parametrize(
    ("states", "state"),
    [
        ("PENDING PENDING", "PENDING"),
        ("PENDING RUNNING", "RUNNING"),
        ("PENDING SUCCEEDED", "RUNNING"),
        ("RUNNING CANCELLED", "RUNNING"),
        ("SUCCEEDED SUCCEEDED", "SUCCEEDED"),
        ("SUCCEEDED FAILED", "FAILED"),
        ("CANCELLED SUCCEEDED", "CANCELLED"),
        ("CANCELLED FAILED", "CANCELLED"),
        ("CANCELLED EXPIRED", "EXPIRED"),
    ],
)
def test_its_state_follows_from_theirs(states: str, state: str) -> None:
    later = NOON + timedelta(minutes=5)
    jobs = [
        a_job(name, state=JobState(each), ended=later if JobState(each).is_final else None)
        for name, each in zip("ab", states.split(), strict=True)
    ]
    whole = whole_of(jobs)
    assert whole.state == state
    assert whole.ended == (later if JobState(state).is_final else None)


def test_counts_usage_and_times_are_of_all() -> None:
    one = a_job(
        "one",
        counts=RequestCounts(total=5, succeeded=3, failed=1, deduplicated=1),
        usage=Usage(prompt_tokens=7),
        planned=True,
        started=NOON + timedelta(minutes=2),
    )
    two = a_job(
        "two",
        counts=RequestCounts(total=2, succeeded=1),
        usage=Usage(prompt_tokens=1, output_tokens=4),
        started=NOON + timedelta(minutes=1),
    )
    whole = whole_of([one, two])
    assert whole.counts == RequestCounts(total=7, succeeded=4, failed=1, deduplicated=1)
    assert whole.usage == Usage(prompt_tokens=8, output_tokens=4)
    assert (whole.id, whole.planned, whole.started) == ("one", False, NOON + timedelta(minutes=1))
    assert whole_of([one]) is one
