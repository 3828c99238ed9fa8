"""The shards that one engine's lanes hold, and what each lane works on next.

A lane that is through goes on with the next shard of the job, where its prefix may go on; else
wherever the scheduler sends it. When nothing is to be leased, a lane that is idle helps another
one with the rest of what that one has, and the longest requests go first; see
`batch.run.longest_first`.
"""

from collections.abc import Iterable
from datetime import datetime

import structlog

from toplu.batch.failure import fail_job
from toplu.batch.loop import Wakeup
from toplu.batch.plan.order import RequestLine
from toplu.batch.plan.shard_cutter import REQUESTS_PER_LANE
from toplu.batch.run.leased_shard import LeasedShard
from toplu.batch.run.longest_first import BYTES_PER_OUTPUT_TOKEN, LongestFirst
from toplu.batch.run.result_writer import ResultWriter
from toplu.batch.run.span import Span
from toplu.batch.schedule.estimate import AnswerLength
from toplu.batch.schedule.scheduler import Scheduler
from toplu.clock import Clock
from toplu.errors import Internal, TopluError
from toplu.job import Job, JobId, Lease
from toplu.settings.server import Settings
from toplu.store.blobs.blobs import Blobs
from toplu.store.blobs.result_log import ResultLog
from toplu.store.rows.jobs import JobRows

log = structlog.get_logger()


class LeasedShards:
    """Leases shards for the lanes of one engine, and keeps the leases alive."""

    def __init__(
        self,
        *,
        engine: str,
        lanes: int,
        window: int,
        share_cache: bool,
        settings: Settings,
        clock: Clock,
        scheduler: Scheduler,
        jobs: JobRows,
        blobs: Blobs,
        results: ResultLog,
        writer: ResultWriter,
    ) -> None:
        self._engine = engine
        self._share_cache = share_cache
        self._settings = settings
        self._clock = clock
        self._scheduler = scheduler
        self._jobs = jobs
        self._blobs = blobs
        self._results = results
        self._writer = writer
        self._runs: list[LeasedShard] = []
        self._opening: set[Lease] = set()  # leased, and not yet among the runs
        self._wanting: set[int] = set()  # lanes on which nothing runs
        self._is_all_leased = False
        self._tail_requests = REQUESTS_PER_LANE * (window if share_cache else lanes)
        self._tail = LongestFirst()
        self._answers = AnswerLength()
        self._begun: dict[int, datetime] = {}  # when the lane's quantum began
        self.wakeups = [Wakeup() for _ in range(lanes)]  # rung when there may be work for the lane

    def wake(self) -> None:
        """Have every lane look for work."""
        for wakeup in self.wakeups:
            wakeup.set()

    def note_answer(self, output_tokens: int) -> None:
        """Learn from an answer how long answers are."""
        self._answers.note(output_tokens)

    @property
    def is_scarce(self) -> bool:
        """Whether there are no more requests to start than lanes that would run one at once.

        Then none is to wait behind another.
        """
        wanting = len(self._wanting)
        return wanting > 0 and sum(run.unstarted for run in self._runs) <= wanting

    def has_quantum(self, lane: int) -> bool:
        """Whether the lane goes on with what it has, without a question."""
        begun = self._begun[lane]
        # The clock may have been put back.
        return begun <= self._clock.now() < begun + self._scheduler.quantum

    @property
    def is_last_phase(self) -> bool:
        """Whether hardly any requests are left, as good as all of them on the lanes.

        Then none is to wait behind another: it may be the longest, and another lane free first.
        """
        if self._is_all_leased:
            return sum(run.unstarted for run in self._runs) <= self._tail_requests
        return self._scheduler.pending(self._engine) <= self._tail_requests

    def take(
        self, run: LeasedShard, span: Span
    ) -> tuple[LeasedShard, Span, tuple[RequestLine, ...]] | None:
        """Return what the lane of the span begins, with its duplicates; None: all is held back.

        At the end of all work that is the longest request of the job, whichever lane has it.
        """
        if self.is_last_phase:
            job = run.lease.job
            runs = [it for it in self._runs if it.lease.job.id == job.id]
            choices = [(it, other) for it in runs for other in it.spans if other is not span]
            choices.insert(0, (run, span))
            spans = [other for _, other in choices]
            if (found := self._tail.longest(job, spans, self._answers.tokens)) is None:
                return None
            run, span = choices[found[0]]
            if found[0]:
                self.wake()  # the lane that it is taken from may lease the next shard
            return run, span, span.take(found[1])
        self._tail.forget()
        duplicates = span.take()
        return (run, span, duplicates) if duplicates else None

    async def keeps_turn(self, lane: int, run: LeasedShard) -> bool:
        """Whether the lane goes on with the run; if not, the rest of it is put down for others."""
        self._begun[lane] = self._clock.now()
        try:
            if not await self._is_to_help(lane, run) and await self._scheduler.keeps_turn(
                run.lease
            ):
                return True
        except Exception:
            # The database is away, say. It is asked again after the next quantum.
            log.exception("turn_not_asked", job=run.lease.job.id)
            return True
        self._release(lane, run)
        return False

    async def _is_to_help(self, lane: int, run: LeasedShard) -> bool:
        """Whether a job whose deadline presses has more to start than the lane that holds it."""
        job = await self._scheduler.pressing(self._engine, lane)
        return job != run.lease.job.id and any(
            it.unstarted > 1 for it in self._runs if it.lease.job.id == job
        )

    def rest(self, lane: int, run: LeasedShard | None, *, idle: bool) -> None:
        """Have the lane want nothing for the time being, and others what it has.

        `idle` says that nothing runs on the lane.
        """
        self._wanting.discard(lane)
        if idle:
            self._scheduler.note_work(self._engine, lane, None)
        if run is not None:
            self._release(lane, run)

    def _release(self, lane: int, run: LeasedShard) -> None:
        log.info("shard_put_down", job=run.lease.job.id, shard=run.lease.shard.number, lane=lane)
        run.release(self.wake)
        self._writer.note(run)

    async def next_span(
        self, lane: int, after: Lease | None, *, idle: bool
    ) -> tuple[LeasedShard, Span] | None:
        """Return what the lane is to work on, or None for the time being.

        `after` is the lease that it worked under; `idle` says that nothing runs on the lane.
        """
        self._forget_ended()
        await self._give_back_settled()
        if idle:
            self._wanting.add(lane)
        found = await self._help_pressing(lane)
        if found is None:
            lease = await self._scheduler.lease_shard(self._engine, lane, after)
            self._is_all_leased = lease is None
            if lease is None:
                found = self._divide(self._runs) if idle else None
            elif (run := await self._open(lease)) is not None:
                found = run, run.spans[0]
            else:
                self.wakeups[lane].set()  # there may be others
                return None
        if found is not None:
            self._scheduler.note_work(self._engine, lane, found[0].lease.job.id)
            self._begun[lane] = self._clock.now()
            self._wanting.discard(lane)
            # Who found nothing meanwhile may help, and who held back need not.
            self.wake()
        elif idle:
            self._scheduler.note_work(self._engine, lane, None)
        return found

    async def _give_back_settled(self) -> None:
        """Let others have what was put down, once all that was started of it is durable."""
        for run in [run for run in self._runs if run.is_settled]:
            await self._scheduler.give_back(run.lease)
            run.drop()

    async def _help_pressing(self, lane: int) -> tuple[LeasedShard, Span] | None:
        """Take over a part of a job whose deadline presses, before anything else is begun."""
        job = await self._scheduler.pressing(self._engine, lane)
        return self._divide([run for run in self._runs if run.lease.job.id == job])

    def _divide(self, runs: Iterable[LeasedShard]) -> tuple[LeasedShard, Span] | None:
        """Take over a part of what the lane has whose rest is longest."""
        answer_bytes = BYTES_PER_OUTPUT_TOKEN * self._answers.tokens
        for run in sorted(runs, key=lambda run: run.unstarted, reverse=True):
            if (rest := run.divide(answer_bytes)) is not None:
                log.debug("stretch_divided", job=run.lease.job.id, requests=len(rest))
                return run, rest
        return None

    async def _open(self, lease: Lease) -> LeasedShard | None:
        self._opening.add(lease)
        try:
            run = await LeasedShard.open(
                lease,
                blobs=self._blobs,
                results=self._results,
                settings=self._settings,
                share_cache=self._share_cache,
            )
        except FileNotFoundError:
            await self._fail_job(lease.job, Internal("The input of the batch is gone."))
            return None
        except Exception:
            # Too many open files, say, which passes: the shard is free for the next try.
            await self._scheduler.give_back(lease)
            raise
        finally:
            dropped = lease not in self._opening
            self._opening.discard(lease)
        if dropped:
            return None
        self._runs.append(run)
        if run.has_earlier_results:
            self._writer.note(run)
        return run

    async def give_up(self, run: LeasedShard, error: TopluError) -> None:
        """Fail the job of the run: its engine does not start."""
        try:
            await self._fail_job(run.lease.job, error)
        except Exception:
            # The database is away, say. The lease lapses, and whoever is next comes here again.
            log.exception("job_not_failed", job=run.lease.job.id)
            run.drop()

    async def _fail_job(self, job: Job, error: TopluError) -> None:
        await fail_job(self._jobs, self._clock, job.id, error)
        self.drop_job(job.id)

    def drop_job(self, job: JobId) -> None:
        """Stop the job's requests; the job has become final or is gone."""
        self._opening = {lease for lease in self._opening if lease.job.id != job}
        for run in self._runs:
            if run.lease.job.id == job:
                run.drop()
        self._forget_ended()
        self.wake()

    def stop(self) -> None:
        """Stop what runs."""
        for run in self._runs:
            run.stop()

    async def renew(self) -> None:
        """Keep the leases alive, and drop the work of one that is no longer ours."""
        self._forget_ended()
        # What is leased meanwhile is not among the answers, and is no less ours.
        asked = list(self._runs)
        held = await self._scheduler.renew([run.lease for run in asked])
        shards = {(lease.job.id, lease.shard.number) for lease in held}
        for run in asked:
            if not run.is_done and (run.lease.job.id, run.lease.shard.number) not in shards:
                run.drop()

    async def give_back(self) -> None:
        """Give every shard back."""
        for run in self._runs:
            await self._scheduler.give_back(run.lease)
        self._runs.clear()

    def _forget_ended(self) -> None:
        self._runs = [run for run in self._runs if not (run.dropped or run.is_done)]
