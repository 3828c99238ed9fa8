"""Says why an unfinished job waits, and when it may be finished; no time without a speed. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from toplu.batch.schedule.candidates import NOBODYS
from toplu.batch.schedule.estimate import cost_left
from toplu.batch.schedule.forecast import forecast
from toplu.batch.schedule.policy import Candidates, QueuedJob
from toplu.batch.schedule.wait_messages import (
    AFTER_EXPIRY,
    AFTER_TARGET,
    BATCH_USED_UP,
    ENGINE_GONE,
    MESSAGES,
    NOT_BEFORE,
    TOO_DEAR,
    Reason,
)
from toplu.clock import timestamp
from toplu.job import Job, JobId, ProjectId
from toplu.money import WORK_OF_PROMPT_TOKEN, as_text
from toplu.projects.terms import NO_TERMS, Terms
from toplu.replica import EngineState

# Half of the time up or down before a request was measured, a tenth when many were.
DOUBT_LEAST = 0.1
DOUBT_AT_FIRST = 0.4
DOUBT_HALVES_AFTER = 8  # requests
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
    terms: Terms = NO_TERMS  # of its project


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """The jobs of an engine that go on, with the work that it will have done when each ends."""

    candidates: Candidates
    through: Mapping[JobId, float]
    terms: Mapping[ProjectId, Terms] = field(default_factory=dict)  # of those with jobs

    @classmethod
    def of(cls, candidates: Candidates, terms: Mapping[ProjectId, Terms] = NOBODYS) -> "Queue":
        return cls(candidates=candidates, through=forecast(candidates), terms=terms)

    def find(self, job: JobId) -> QueuedJob | None:
        return next((it for it in self.candidates.jobs if it.job == job), None)

    def with_job(self, job: QueuedJob) -> "Queue":
        """Return the queue after one more job has joined it."""
        jobs = [*self.candidates.jobs, job]
        return Queue.of(replace(self.candidates, jobs=jobs), self.terms)


def wait_status(job: Job, queue: Queue, conditions: Conditions) -> WaitStatus:
    """Return the status of a job that is in the queue."""
    queued = queue.find(job.id)
    assert queued is not None, "it has joined the queue"
    now, engine = queue.candidates.now, queue.candidates.engine
    reason = _reason(job, queued, conditions, now)
    through = queue.through[job.id]
    ahead = [it for it in queue.candidates.jobs if queue.through[it.job] < through]
    expected = _seconds_of(through, engine.work_per_second)
    # Nobody knows when a batch goes on that somebody holds.
    begins = None if reason is Reason.PAUSED else conditions.terms.goes_on(job.batch, now)
    course = None if begins is None else _Course(job, begins, expected, conditions.terms)
    return WaitStatus(
        reason=reason,
        message=_message(reason, job, conditions, begins),
        position=len(ahead) + 1,
        tokens_ahead=round(sum(it.work for it in ahead) / WORK_OF_PROMPT_TOKEN),
        lanes=queued.lanes,
        lanes_of_engine=engine.lanes,
        finish=None if course is None else course.range,
        warnings=() if course is None else tuple(course.warnings(queued.target)),
    )


def _reason(job: Job, queued: QueuedJob, conditions: Conditions, now: datetime) -> Reason:
    if conditions.is_draining:
        return Reason.DRAINING
    if conditions.fault is not None:
        return Reason.STORAGE
    if job.planned and not job.counts.pending:
        return Reason.FINISHING
    hold = Reason.PAUSED if job.paused else conditions.terms.hold(job.batch, now)
    if hold is not None:
        return Reason(hold)
    if conditions.state not in (EngineState.READY, EngineState.IDLE):
        return Reason.ENGINE_DOWN
    return Reason.RUNNING if queued.lanes else _before_it_runs(job)


def _before_it_runs(job: Job) -> Reason:
    return Reason.QUEUED if job.planned or job.counts.total else Reason.PLANNING


def _message(reason: Reason, job: Job, conditions: Conditions, begins: datetime | None) -> str:
    template = MESSAGES[reason]
    if reason is Reason.ENGINE_DOWN and conditions.state is None:
        template = ENGINE_GONE
    elif reason is Reason.BUDGET and begins is None:
        template = BATCH_USED_UP
    return template.format(
        engine=job.engine,
        state=conditions.state,
        fault=conditions.fault,
        hours=conditions.terms.caps.hours,
        begins=None if begins is None else timestamp(begins),
    )


def _seconds_of(work: float, speed: float | None) -> timedelta | None:
    if not speed:
        return None
    return timedelta(seconds=min(work / speed, LONGEST.total_seconds()))


@dataclass(frozen=True, slots=True)
class _Course:
    """The rest of a job that goes on: from when, how long the engine takes, on which terms."""

    job: Job
    begins: datetime
    expected: timedelta | None  # None: no speed was measured
    terms: Terms

    @property
    def range(self) -> tuple[datetime, datetime] | None:
        """The earliest and the latest end."""
        if self.expected is None or self._is_too_dear:
            return None
        doubt = DOUBT_LEAST + DOUBT_AT_FIRST * DOUBT_HALVES_AFTER / (
            DOUBT_HALVES_AFTER + self.job.counts.run
        )
        return self._after(self.expected, 1 - doubt), self._after(self.expected, 1 + doubt)

    def warnings(self, target: datetime) -> Iterator[str]:
        """Yield what will come otherwise than the client may hope."""
        job, cap = self.job, self.terms.caps.of_batch
        if cap is not None and self._is_too_dear:
            cost = job.cost + cost_left(job)
            yield TOO_DEAR.format(
                cost=f"{as_text(cost)} {job.prices.currency}",
                cap=f"{as_text(cap)} {job.prices.currency}",
            )
        finish = self._after(self.expected or timedelta(), 1)
        if finish <= target:
            return
        template = AFTER_EXPIRY if finish > job.expires else AFTER_TARGET
        if self.expected is None:
            template = NOT_BEFORE
        times = {"finish": finish, "target": target, "expires": job.expires}
        yield template.format(**{name: timestamp(time) for name, time in times.items()})

    @property
    def _is_too_dear(self) -> bool:
        cap = self.terms.caps.of_batch
        spent = self.terms.spent.batches.get(self.job.batch, 0)
        return cap is not None and spent + cost_left(self.job) > cap

    def _after(self, work: timedelta, factor: float) -> datetime:
        return self.terms.after(self.begins, work * factor, round(cost_left(self.job) * factor))
