"""Says why an unfinished job waits, and when it may be finished; no time without a speed. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from toplu.batch.schedule.forecast import forecast
from toplu.batch.schedule.policy import Candidates, QueuedJob
from toplu.batch.schedule.wait_messages import (
    AFTER_EXPIRY,
    AFTER_TARGET,
    ENGINE_GONE,
    MESSAGES,
    Reason,
)
from toplu.clock import timestamp
from toplu.job import Job, JobId
from toplu.money import WORK_OF_PROMPT_TOKEN
from toplu.replica import EngineState

# Half of the time up or down before a request was measured, a tenth when many were.
DOUBT_LEAST = 0.1
DOUBT_AT_FIRST = 0.4
DOUBT_HALVES_AFTER = 8  # requests
HELD = frozenset({Reason.PAUSED})
LONGEST = timedelta(days=3650)  # beyond it a time says nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitStatus:
    """The place of an unfinished job in its queue, and its expected end."""

    reason: Reason
    message: str  # for people
    position: int  # among the unfinished jobs of the engine, as they are expected to end; from 1
    tokens_ahead: int  # of jobs that are expected to end before, as prompt tokens; an estimate
    lanes: int  # that work for the job
    lanes_of_engine: int
    finish: tuple[datetime, datetime] | None  # earliest and latest; None: no speed was measured
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """The things that hold a job up apart from other jobs."""

    state: EngineState | None  # of its engine; None: it is not in the catalogue any more
    fault: str | None = None  # why the job cannot be written
    is_draining: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """The unfinished jobs of an engine, with the work that it will have done when each ends."""

    candidates: Candidates
    through: Mapping[JobId, float]

    @classmethod
    def of(cls, candidates: Candidates) -> "Queue":
        return cls(candidates=candidates, through=forecast(candidates))

    def find(self, job: JobId) -> QueuedJob | None:
        return next((it for it in self.candidates.jobs if it.job == job), None)

    def with_job(self, job: QueuedJob) -> "Queue":
        """Return the queue after one more job has joined it."""
        return Queue.of(replace(self.candidates, jobs=[*self.candidates.jobs, job]))


def wait_status(job: Job, queue: Queue, conditions: Conditions) -> WaitStatus:
    """Return the status of a job that is in the queue."""
    queued = queue.find(job.id)
    assert queued is not None, "it has joined the queue"
    reason = _reason(job, queued, conditions)
    through = queue.through[job.id]
    ahead = [it for it in queue.candidates.jobs if queue.through[it.job] < through]
    now, engine = queue.candidates.now, queue.candidates.engine
    expected = _seconds_of(through, engine.work_per_second)
    is_held = reason in HELD
    return WaitStatus(
        reason=reason,
        message=_message(reason, job, conditions),
        position=len(ahead) + 1,
        tokens_ahead=round(sum(it.work for it in ahead) / WORK_OF_PROMPT_TOKEN),
        lanes=queued.lanes,
        lanes_of_engine=engine.lanes,
        # Nobody knows when a batch goes on that somebody holds.
        finish=None if is_held else _range(job, now, expected),
        warnings=() if is_held else _warnings(queued, now, expected),
    )


def _reason(job: Job, queued: QueuedJob, conditions: Conditions) -> Reason:
    if conditions.is_draining:
        return Reason.DRAINING
    if conditions.fault is not None:
        return Reason.STORAGE
    if conditions.state not in (EngineState.READY, EngineState.IDLE):
        return Reason.ENGINE_DOWN
    if job.planned and not job.counts.pending:
        return Reason.FINISHING
    if job.paused or queued.lanes:
        return Reason.PAUSED if job.paused else Reason.RUNNING
    return Reason.QUEUED if job.planned or job.counts.total else Reason.PLANNING


def _message(reason: Reason, job: Job, conditions: Conditions) -> str:
    is_gone = reason is Reason.ENGINE_DOWN and conditions.state is None
    template = ENGINE_GONE if is_gone else MESSAGES[reason]
    return template.format(engine=job.engine, state=conditions.state, fault=conditions.fault)


def _seconds_of(work: float, speed: float | None) -> timedelta | None:
    if not speed:
        return None
    return timedelta(seconds=min(work / speed, LONGEST.total_seconds()))


def _range(job: Job, now: datetime, expected: timedelta | None) -> tuple[datetime, datetime] | None:
    if expected is None:
        return None
    doubt = DOUBT_LEAST + DOUBT_AT_FIRST * DOUBT_HALVES_AFTER / (
        DOUBT_HALVES_AFTER + job.counts.run
    )
    return now + expected * (1 - doubt), now + expected * (1 + doubt)


def _warnings(it: QueuedJob, now: datetime, expected: timedelta | None) -> tuple[str, ...]:
    if expected is None or now + expected <= it.target:
        return ()
    template = AFTER_EXPIRY if now + expected > it.expires else AFTER_TARGET
    warning = template.format(
        finish=timestamp(now + expected),
        target=timestamp(it.target),
        expires=timestamp(it.expires),
    )
    return (warning,)
