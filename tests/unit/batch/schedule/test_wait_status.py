"""The wait status is a pure value of a queue and of the conditions of one job."""

from dataclasses import replace
from datetime import timedelta

import pytest

from support.fake_clock import NOON
from toplu.batch.schedule.candidates import queued_job
from toplu.batch.schedule.fair_shares import FairShares
from toplu.batch.schedule.policy import Candidates, Engine
from toplu.batch.schedule.wait_messages import MESSAGES, Reason
from toplu.batch.schedule.wait_status import Conditions, Queue, WaitStatus, wait_status
from toplu.job import InputForm, Job, JobId, ProjectId, RequestCounts
from toplu.replica import EngineState

READY = Conditions(state=EngineState.READY)
JOB = Job(
    id=JobId("one"),
    project=ProjectId("team-a"),
    model="gemini-2.5-flash",
    engine="echo",
    display_name=None,
    input_form=InputForm.FILE,
    input_file="input",
    planned=True,
    counts=RequestCounts(total=10),
    tokens_estimate=1000,
    created=NOON,
    updated=NOON,
    expires=NOON + timedelta(hours=48),
)


def status(
    job: Job, conditions: Conditions = READY, *, lanes: int = 0, speed: float | None = None
) -> WaitStatus:
    engine = Engine(lanes=4, work_per_second=speed, quantum_seconds=10)
    empty = Candidates(jobs=[], shares=FairShares({}, {}), engine=engine, now=NOON)
    queued = queued_job(job, target=timedelta(hours=24), waits=True, lanes=lanes)
    return wait_status(job, Queue.of(empty).with_job(queued), conditions)


@pytest.mark.parametrize(
    ("job", "conditions", "lanes", "reason"),
    [
        (JOB, READY, 0, Reason.QUEUED),
        (JOB, READY, 1, Reason.RUNNING),
        (JOB, replace(READY, state=EngineState.IDLE), 0, Reason.QUEUED),
        (JOB, replace(READY, state=EngineState.DOWN), 1, Reason.ENGINE_DOWN),
        (JOB, replace(READY, state=None), 0, Reason.ENGINE_DOWN),
        (JOB, replace(READY, fault="no space", state=None), 1, Reason.STORAGE),
        (JOB, replace(READY, fault="no space", is_draining=True), 1, Reason.DRAINING),
        (replace(JOB, planned=False, counts=RequestCounts()), READY, 0, Reason.PLANNING),
        (replace(JOB, planned=False), READY, 0, Reason.QUEUED),
        (replace(JOB, counts=RequestCounts(total=1, failed=1)), READY, 0, Reason.FINISHING),
    ],
)
def test_the_first_condition_that_holds_is_the_reason(
    job: Job, conditions: Conditions, lanes: int, reason: Reason
) -> None:
    found = status(job, conditions, lanes=lanes)
    assert found.reason is reason
    assert "{" not in found.message


def test_every_reason_has_a_text() -> None:
    assert MESSAGES.keys() == set(Reason)


def test_an_engine_that_is_gone_is_no_engine_that_is_down() -> None:
    down = status(JOB, replace(READY, state=EngineState.DOWN)).message
    gone = status(JOB, replace(READY, state=None)).message
    assert "DOWN" in down
    assert "catalogue" in gone


def test_a_fault_with_braces_is_written_as_it_is() -> None:
    assert "a {fault}" in status(JOB, replace(READY, fault="a {fault}")).message


def test_no_time_is_named_before_a_speed_was_measured() -> None:
    assert status(JOB).finish is None
    assert status(JOB).warnings == ()


@pytest.mark.parametrize(
    ("hours", "words"), [(1, ()), (36, ("target",)), (72, ("expires",)), (1e12, ("expires",))]
)
def test_a_time_after_the_target_or_the_expiry_is_a_warning(
    hours: float, words: tuple[str, ...]
) -> None:
    work = queued_job(JOB, target=timedelta(hours=24), waits=True).work
    warnings = status(JOB, speed=work / hours / 3600).warnings
    assert len(warnings) == len(words)
    assert all(word in warning for word, warning in zip(words, warnings, strict=True))


def test_jobs_that_end_before_are_ahead() -> None:
    engine = Engine(lanes=4, work_per_second=1000.0, quantum_seconds=10)
    target = timedelta(hours=24)
    younger = replace(JOB, id=JobId("two"), created=NOON + timedelta(seconds=1))
    jobs = [queued_job(job, target=target, waits=True) for job in (JOB, younger)]
    queue = Queue.of(Candidates(jobs=jobs, shares=FairShares({}, {}), engine=engine, now=NOON))
    first, second = wait_status(JOB, queue, READY), wait_status(younger, queue, READY)
    assert (first.position, second.position) == (1, 2)
    assert (first.tokens_ahead, second.tokens_ahead > 0) == (0, True)
    assert first.finish is not None
    assert second.finish is not None
    assert first.finish < second.finish
