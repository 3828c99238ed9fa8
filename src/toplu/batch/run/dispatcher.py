"""Assigns the spans of leased shards to the lanes of one engine, and ends their turns.

A lane that is through goes on with the next shard of the job, where its prefix may go on; else
wherever the scheduler sends it. When nothing is to be leased, an idle lane takes over a part of
what another has. The choices are in `batch.run.next_request`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import structlog

from toplu.batch.loop import Wakeups
from toplu.batch.plan.order import RequestLine
from toplu.batch.run import next_request
from toplu.batch.run.leased_shard import LeasedShard
from toplu.batch.run.leased_shards import LeasedShards
from toplu.batch.run.next_request import AskedLengths
from toplu.batch.run.span import Span
from toplu.batch.schedule.estimate import AnswerLength
from toplu.batch.schedule.scheduler import Scheduler
from toplu.clock import Clock
from toplu.job import Job, JobId, Lease

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Assignment:
    """A span of a leased shard, which one lane works through."""

    shard: LeasedShard
    span: Span

    @property
    def job(self) -> JobId:
        return self.shard.lease.job.id


class Dispatcher:
    """Decides what each lane works on, and until when."""

    def __init__(
        self,
        *,
        engine: str,
        streams: int,
        clock: Clock,
        scheduler: Scheduler,
        shards: LeasedShards,
        wakeups: Wakeups,
    ) -> None:
        self._engine = engine
        self._streams = streams  # lanes, or requests at once where lanes share one cache
        self._clock = clock
        self._scheduler = scheduler
        self._shards = shards
        self._wakeups = wakeups  # set when there may be work for the lane
        self._idle: set[int] = set()  # lanes on which nothing runs
        self._is_all_leased = False
        self._asked = AskedLengths()
        self._answers = AnswerLength()
        self._begun: dict[int, datetime] = {}  # when the lane's quantum began

    def note_answer(self, output_tokens: int) -> None:
        """Learn from an answer how long answers are."""
        self._answers.note(output_tokens)

    @property
    def is_scarce(self) -> bool:
        """Whether idle lanes would begin every request that is left, at once."""
        return bool(self._idle) and next_request.is_scarce(self._shards.unstarted, len(self._idle))

    @property
    def is_last_phase(self) -> bool:
        """Whether hardly any requests are left, as good as all of them on the lanes."""
        pending = self._scheduler.pending
        left = self._shards.unstarted if self._is_all_leased else pending(self._engine)
        return next_request.is_last_phase(left, self._streams)

    def take(self, own: Assignment) -> tuple[Assignment, tuple[RequestLine, ...]] | None:
        """Return what the lane begins, with its duplicates; None: all is held back.

        At the end of all work that is the longest request of the job, whichever lane has it.
        """
        if self.is_last_phase:
            return self._take_longest(own)
        self._asked.forget()
        duplicates = own.span.take()
        return (own, duplicates) if duplicates else None

    def _take_longest(self, own: Assignment) -> tuple[Assignment, tuple[RequestLine, ...]] | None:
        choices = [own]
        for shard in self._shards.of_job(own.job):
            choices += [Assignment(shard, span) for span in shard.spans if span is not own.span]
        spans = [choice.span for choice in choices]
        found = self._asked.longest(own.shard.lease.job, spans, self._answers.tokens)
        if found is None:
            return None
        number, place = found
        if number:
            self._wakeups.set()  # the lane that it is taken from may lease the next shard
        return choices[number], choices[number].span.take(place)

    def has_quantum(self, lane: int, job: Job) -> bool:
        """Return whether the lane goes on with what it has of the job, without a question."""
        begun = self._begun[lane]
        # The clock may have been put back.
        lasts = begun <= self._clock.now() < begun + self._scheduler.quantum
        return lasts and not self._scheduler.is_held(job)

    async def keeps_turn(self, lane: int, shard: LeasedShard) -> bool:
        """Return whether the lane goes on with the shard; if not, the rest is left to others."""
        self._begun[lane] = self._clock.now()
        try:
            if not await self._is_to_help(lane, shard) and await self._scheduler.keeps_turn(
                shard.lease
            ):
                return True
        except Exception:
            # The database is away, say. It is asked again after the next quantum.
            log.exception("turn_not_asked", job=shard.lease.job.id)
            return True
        self._shards.release(shard, lane)
        return False

    async def _is_to_help(self, lane: int, shard: LeasedShard) -> bool:
        """Return whether a job whose deadline presses has more to start than its lanes."""
        job = await self._scheduler.pressing(self._engine, lane)
        return (
            job is not None
            and job != shard.lease.job.id
            and next_request.needs_help(self._shards, job)
        )

    def set_aside(self, lane: int, shard: LeasedShard | None, *, idle: bool) -> None:
        """Look for nothing on the lane for the time being, and leave its shard to others.

        `idle` says that nothing runs on the lane.
        """
        self._idle.discard(lane)
        if idle:
            self._scheduler.note_work(self._engine, lane, None)
        if shard is not None:
            self._shards.release(shard, lane)

    async def assign(self, lane: int, after: Lease | None, *, idle: bool) -> Assignment | None:
        """Return what the lane is to work on, or None for the time being.

        `after` is the lease that it worked under; `idle` says that nothing runs on the lane.
        """
        await self._shards.settle()
        if idle:
            self._idle.add(lane)
        found = await self._help_pressing(lane)
        if found is None:
            lease = await self._scheduler.lease_shard(self._engine, lane, after)
            self._is_all_leased = lease is None
            if lease is None:
                found = self._divide(self._shards) if idle else None
            elif (shard := await self._shards.open(lease)) is not None:
                found = Assignment(shard, shard.spans[0])
            else:
                self._wakeups[lane].set()  # there may be others
                return None
        if found is not None:
            self._scheduler.note_work(self._engine, lane, found.job)
            self._begun[lane] = self._clock.now()
            self._idle.discard(lane)
            # A lane that found nothing meanwhile may help, and one that held back need not.
            self._wakeups.set()
        elif idle:
            self._scheduler.note_work(self._engine, lane, None)
        return found

    async def _help_pressing(self, lane: int) -> Assignment | None:
        """Take over a part of a job whose deadline presses, before anything else is begun."""
        job = await self._scheduler.pressing(self._engine, lane)
        return None if job is None else self._divide(self._shards.of_job(job))

    def _divide(self, shards: Iterable[LeasedShard]) -> Assignment | None:
        found = next_request.divide(shards, self._answers.tokens)
        if found is None:
            return None
        shard, rest = found
        log.debug("stretch_divided", job=shard.lease.job.id, requests=len(rest))
        return Assignment(shard, rest)
