"""Hop 5: keeps one engine's lanes full with the requests of leased shards.

    take → read → answer → write → add      one task per request, `window` of them at a time

When the shard at hand has no request left to start, the next one is leased while the last
answers are still coming: lanes never idle between shards or jobs.
"""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

import structlog

from toplu.batch.line_index import RequestLine
from toplu.batch.loop import AFTER_A_FAULT, Bell
from toplu.batch.methods import FORMS, Answers
from toplu.batch.results import ResultWriter
from toplu.batch.scheduler import Scheduler
from toplu.batch.shard_run import ShardRun
from toplu.clock import Clock
from toplu.errors import Internal, InvalidArgument, RequestError, TopluError
from toplu.fleet.pool import EngineGivenUp
from toplu.gemini import jsonl
from toplu.gemini.message import Message
from toplu.gemini.token_usage import usage_of
from toplu.job import Job, JobId, JobState
from toplu.money import NO_TOKENS
from toplu.settings import Settings
from toplu.store.blobs import Blobs
from toplu.store.jobs import Jobs
from toplu.store.result_log import Record, ResultLog

log = structlog.get_logger()

IDLE = timedelta(seconds=5)
READ_IN_THREAD_FROM_BYTES = 64 * 1024

T = TypeVar("T")


class Runner:
    """Works for one engine until it is drained."""

    def __init__(
        self,
        *,
        engine: str,
        answers: Answers,
        settings: Settings,
        clock: Clock,
        scheduler: Scheduler,
        jobs: Jobs,
        blobs: Blobs,
        results: ResultLog,
        writer: ResultWriter,
    ) -> None:
        self._engine = engine
        self._answers = answers
        self._settings = settings
        self._clock = clock
        self._scheduler = scheduler
        self._jobs = jobs
        self._blobs = blobs
        self._results = results
        self._writer = writer
        self._places = asyncio.Semaphore(answers.window)
        self._runs: list[ShardRun] = []  # leased by us; the last one may have requests to start
        self._opening: JobId | None = None  # whose shard is leased and not yet among the runs
        self._draining = False
        self.bell = Bell()  # rung when there may be a shard to lease

    async def run(self) -> None:
        """Lease and answer until drained; returns when the last request in flight is answered."""
        async with asyncio.TaskGroup() as requests:
            while True:
                await self._writer.wait_for_room()
                await self._places.acquire()
                taken = await self._next_request()
                if taken is None:
                    return
                run, line = taken
                task = requests.create_task(self._answer(run, line))
                run.started(task)
                task.add_done_callback(lambda _: self._places.release())

    def drain(self) -> None:
        """Start nothing more."""
        self._draining = True
        self._writer.let_go()
        self.bell.ring()

    def stop_requests(self) -> None:
        """Stop what runs, for a drain that takes too long; it will run again after the restart."""
        for run in self._runs:
            run.stop()

    async def give_back(self) -> None:
        """Give every shard back, once its results are durable."""
        for run in self._runs:
            await self._scheduler.give_back(run.lease)
        self._runs.clear()

    def drop_job(self, job: JobId) -> None:
        """Stop the job's requests; the job has become final or is gone."""
        if self._opening == job:
            self._opening = None
        for run in self._runs:
            if run.lease.job.id == job:
                run.drop()
        self._forget_ended()
        self.bell.ring()

    async def renew_leases(self) -> timedelta:
        """Keep the leases alive, and drop the work of one that is no longer ours."""
        self._forget_ended()
        # What is leased meanwhile is not among the answers, and is no less ours.
        asked = list(self._runs)
        held = await self._scheduler.renew([run.lease for run in asked])
        shards = {(lease.job.id, lease.shard.number) for lease in held}
        for run in asked:
            if not run.is_done and (run.lease.job.id, run.lease.shard.number) not in shards:
                run.drop()
        return self._scheduler.renewal

    async def _next_request(self) -> tuple[ShardRun, RequestLine] | None:
        while not self._draining:
            self._forget_ended()
            if self._runs and (line := self._runs[-1].take()) is not None:
                return self._runs[-1], line
            try:
                opened = await self._open_shard()
            except Exception:
                # The database is away, say. The requests in flight go on; leasing is tried again.
                log.exception("lease_failed", engine=self._engine)
                await self.bell.wait(AFTER_A_FAULT)
                continue
            if not opened:
                await self.bell.wait(IDLE)
        return None

    def _forget_ended(self) -> None:
        self._runs = [run for run in self._runs if not (run.dropped or run.is_done)]

    async def _open_shard(self) -> bool:
        lease = await self._scheduler.lease_shard(self._engine)
        if lease is None:
            return False
        self._opening = lease.job.id
        try:
            run = await ShardRun.open(
                lease, blobs=self._blobs, results=self._results, settings=self._settings
            )
        except FileNotFoundError:
            await self._fail_job(lease.job, Internal("The input of the batch is gone."))
            return False
        except Exception:
            # Too many open files, say, which passes: the shard is free for the next try.
            await self._scheduler.give_back(lease)
            raise
        if self._opening is None:
            return True  # the job was dropped meanwhile; there may be others
        self._opening = None
        self._runs.append(run)
        if run.has_earlier_results:
            self._writer.note(run)
        return True

    async def _fail_job(self, job: Job, error: TopluError) -> None:
        log.error("job_failed", job=job.id, reason=error.message)
        await self._jobs.move(
            job.id, JobState.FAILED, self._clock.now(), error=error.as_request_error()
        )
        self.drop_job(job.id)

    async def _give_up(self, run: ShardRun, error: EngineGivenUp) -> None:
        try:
            await self._fail_job(run.lease.job, error)
        except Exception:
            # The database is away, say. The lease lapses, and whoever is next comes here again.
            log.exception("job_not_failed", job=run.lease.job.id)
            run.drop()

    async def _answer(self, run: ShardRun, line: RequestLine) -> None:
        """Give the request its one outcome, unless the run is dropped meanwhile."""
        job = run.lease.job
        log.debug("request_started", job=job.id, index=line.index)
        try:
            record = await self._outcome(job, line)
        except EngineGivenUp as error:
            if not run.dropped:
                await self._give_up(run, error)
            return
        log.debug("request_finished", job=job.id, index=line.index, succeeded=record.succeeded)
        if not run.dropped:
            self._writer.add(run, record)

    async def _outcome(self, job: Job, line: RequestLine) -> Record:
        if line.line is None:
            reason = f"the line is longer than {self._settings.line_bytes_max} bytes"
            error = InvalidArgument(f"Error on line {line.number}: {reason}")
            return _record(line, None, None, error.as_request_error())
        try:
            read = FORMS[job.method].read
            request_line = await _beside_the_loop(read, line.line, line.number)
            _check_model(request_line.request.model, job, line)
        except InvalidArgument as error:
            key, metadata = await _beside_the_loop(jsonl.identify, line.line)
            return _record(line, key, metadata, error.as_request_error())
        outcome: Message | RequestError
        try:
            outcome = await self._answers.answer(
                request_line.request, project=job.project, label=f"{job.id}#{line.index}"
            )
        except EngineGivenUp:
            raise
        except TopluError as error:
            outcome = error.as_request_error()
        except Exception:
            # A bug of ours costs this request its response, not the job its other results.
            log.exception("request_crashed", job=job.id, index=line.index)
            outcome = Internal(INTERNAL_MESSAGE).as_request_error()
        return _record(line, request_line.key, request_line.metadata, outcome)


INTERNAL_MESSAGE = "An internal error has occurred. The server's log has the details."


async def _beside_the_loop(read: Callable[..., T], line: bytes, *further: int) -> T:
    """Read the line, in a thread if it is long: a hostile one takes seconds of everybody's time."""
    if len(line) < READ_IN_THREAD_FROM_BYTES:
        return read(line, *further)
    return await asyncio.to_thread(read, line, *further)


def _check_model(model: str | None, job: Job, line: RequestLine) -> None:
    if model is not None and model.removeprefix("models/") != job.model:
        raise InvalidArgument(
            f"Error on line {line.number}: model {model} is not the model of the batch, "
            f"models/{job.model}"
        )


def _record(
    line: RequestLine,
    key: jsonl.Key,
    metadata: dict[str, object] | None,
    outcome: Message | RequestError,
) -> Record:
    return Record(
        index=line.index,
        succeeded=not isinstance(outcome, RequestError),
        payload=jsonl.write_result(key, metadata, outcome),
        usage=NO_TOKENS if isinstance(outcome, RequestError) else usage_of(outcome),
    )
