"""Names the reason why an unfinished job waits, and when it may be finished.

What is said of all jobs of an engine comes from one look that is good for a second: a poll costs
no query of its own. No time is named before a speed was measured.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from toplu.batch.schedule.forecast import forecast
from toplu.batch.schedule.policy import Candidates, QueuedJob
from toplu.batch.schedule.scheduler import Scheduler
from toplu.batch.storage_faults import StorageFaults
from toplu.clock import Clock, timestamp
from toplu.fleet.processes.supervisor import EngineState
from toplu.job import Job, JobId
from toplu.money import WORK_OF_PROMPT_TOKEN

LOOK_GOOD_FOR = timedelta(seconds=1)
# Half of the time up or down before a request was measured, a tenth when many were.
DOUBT_LEAST = 0.1
DOUBT_AT_FIRST = 0.4
DOUBT_HALVES_AFTER = 8  # requests, as in `estimate.work_left`
LONGEST = timedelta(days=3650)  # beyond it a time says nothing


class Reason(StrEnum):
    """What a job waits for."""

    DRAINING = "DRAINING"
    STORAGE = "STORAGE"
    PLANNING = "PLANNING"
    ENGINE_DOWN = "ENGINE_DOWN"
    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    FINISHING = "FINISHING"


MESSAGES = {
    Reason.DRAINING: "The server is shutting down. The batch goes on when it is up again.",
    Reason.PLANNING: "The requests are being put into order.",
    Reason.QUEUED: "Every lane of the engine is at work for other batches.",
    Reason.RUNNING: "Requests are being answered.",
    Reason.FINISHING: "The last results are being put into order.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitStatus:
    """Where an unfinished job stands."""

    reason: Reason
    message: str  # for people
    position: int  # among the unfinished jobs of the engine, as they are expected to end; from 1
    tokens_ahead: int  # of jobs that are expected to end before, as prompt tokens; an estimate
    lanes: int  # that work for the job
    lanes_of_engine: int
    finish: tuple[datetime, datetime] | None  # earliest and latest; None: no speed was measured
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    taken: datetime
    round: Candidates
    through: dict[JobId, float]


class WaitReasons:
    """Tells of unfinished jobs what they wait for."""

    def __init__(
        self,
        *,
        clock: Clock,
        scheduler: Scheduler,
        engines: Callable[[], Mapping[str, EngineState]],
        faults: StorageFaults | None = None,
        is_draining: Callable[[], bool] = lambda: False,
    ) -> None:
        self._faults = faults or StorageFaults()
        self._is_draining = is_draining
        self._clock = clock
        self._scheduler = scheduler
        self._engines = engines
        self._looks: dict[str, _Look] = {}
        self._looking: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def of(self, job: Job) -> WaitStatus | None:
        """Return where the job stands, or None if it is final."""
        if job.is_final:
            return None
        look = await self._look(job.engine)
        contender = next((it for it in look.round.contenders if it.job == job.id), None)
        if contender is None:
            contender = self._newcomer(job)
            round_ = replace(look.round, contenders=[*look.round.contenders, contender])
            look = replace(look, round=round_, through=forecast(round_))
        reason = self._reason(job, contender)
        through = look.through[job.id]
        ahead = {other for other, work in look.through.items() if work < through}
        work_ahead = sum(it.work for it in look.round.contenders if it.job in ahead)
        expected = self._expected(look.round, through)
        return WaitStatus(
            reason=reason,
            message=MESSAGES.get(reason) or self._message(reason, job),
            position=len(ahead) + 1,
            tokens_ahead=round(work_ahead / WORK_OF_PROMPT_TOKEN),
            lanes=contender.lanes,
            lanes_of_engine=look.round.engine.lanes,
            finish=_range(job, look.round.now, expected),
            warnings=_warnings(contender, look.round.now, expected),
        )

    async def _look(self, engine: str) -> _Look:
        async with self._looking[engine]:
            now = self._clock.now()
            known = self._looks.get(engine)
            # The clock may have been put back.
            if known is not None and known.taken <= now < known.taken + LOOK_GOOD_FOR:
                return known
            round_ = await self._scheduler.round_of(engine, now)
            look = _Look(taken=now, round=round_, through=forecast(round_))
            self._looks[engine] = look
            return look

    def _newcomer(self, job: Job) -> QueuedJob:
        """Return the job as it will compete: it is not planned, or was a moment ago."""
        contender = self._scheduler.contender_of(job, waits=True)
        least = float(WORK_OF_PROMPT_TOKEN * job.tokens_estimate)
        return contender if job.counts.total else replace(contender, work=least)

    def _reason(self, job: Job, contender: QueuedJob) -> Reason:
        if self._is_draining():
            return Reason.DRAINING
        if self._faults.of(job.id) is not None:
            return Reason.STORAGE
        if self._engines().get(job.engine) not in (EngineState.READY, EngineState.IDLE):
            return Reason.ENGINE_DOWN
        if contender.lanes:
            return Reason.RUNNING
        if job.planned and not job.counts.pending:
            return Reason.FINISHING
        return Reason.QUEUED if job.planned or job.counts.total else Reason.PLANNING

    def _message(self, reason: Reason, job: Job) -> str:
        if reason is Reason.STORAGE:
            return (
                f"The data folder cannot be written to: {self._faults.of(job.id)}. It is tried "
                "again by itself; nothing that was answered is lost."
            )
        return self._why_down(job.engine)

    def _why_down(self, engine: str) -> str:
        state = self._engines().get(engine)
        if state is None:
            return f"The model {engine} is not in the catalogue any more."
        return f"The engine {engine} is {state}; requests go on when it is READY."

    def _expected(self, round_: Candidates, work: float) -> timedelta | None:
        speed = round_.engine.work_per_second
        if not speed:
            return None
        return min(LONGEST, timedelta(seconds=min(work / speed, LONGEST.total_seconds())))


def _range(job: Job, now: datetime, expected: timedelta | None) -> tuple[datetime, datetime] | None:
    if expected is None:
        return None
    done = job.counts.succeeded + job.counts.failed
    doubt = DOUBT_LEAST + DOUBT_AT_FIRST * DOUBT_HALVES_AFTER / (DOUBT_HALVES_AFTER + done)
    return now + expected * (1 - doubt), now + expected * (1 + doubt)


def _warnings(it: QueuedJob, now: datetime, expected: timedelta | None) -> tuple[str, ...]:
    if expected is None or now + expected <= it.target:
        return ()
    finish = timestamp(now + expected)
    if now + expected > it.expires:
        told = (
            f"At the measured speed this batch needs until about {finish} and expires "
            f"at {timestamp(it.expires)}. Results so far stay readable."
            " The rest may be retried."
        )
    else:
        told = (
            f"At the measured speed this batch is finished at about {finish}, after its target of "
            f"{timestamp(it.target)}."
        )
    return (told,)
