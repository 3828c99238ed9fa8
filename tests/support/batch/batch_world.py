"""The pipeline over real stores in a temporary folder, stepped by hand."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from support.batch.parts import retries_of, waves_of
from support.fake_clock import FakeClock
from support.store.migrated import open_migrated
from toplu.batch import paths
from toplu.batch.jobs.admission import Admission
from toplu.batch.jobs.retry import JobRetry
from toplu.batch.lookup import Lookup
from toplu.batch.loop import Wakeup, Wakeups
from toplu.batch.plan.planner import Orderer, Planner
from toplu.batch.results.assembler import Assembler
from toplu.batch.results.reader import ResultReader
from toplu.batch.run.leased_shard import LeasedShard
from toplu.batch.run.leased_shards import LeasedShards
from toplu.batch.run.request_runner import RequestRunner
from toplu.batch.run.result_writer import ResultWriter
from toplu.batch.schedule.scheduler import Scheduler
from toplu.batch.schedule.throughput import Throughputs
from toplu.clock import SystemClock
from toplu.fleet.work import Answered
from toplu.job import InputForm, Job, JobId, ProjectId
from toplu.money import NO_TOKENS, Usage
from toplu.projects.audit_log import AuditLog
from toplu.projects.quotas import Quotas
from toplu.settings.server import Settings
from toplu.store.blobs.blobs import DiskBlobs
from toplu.store.blobs.records import Record
from toplu.store.blobs.result_log import ResultLog
from toplu.store.blobs.results import Results
from toplu.store.rows.audit import AuditRows
from toplu.store.rows.database import Database
from toplu.store.rows.jobs import JobRows
from toplu.store.rows.projects import ProjectRows
from toplu.store.rows.steps import StepKind, StepRows
from toplu.wire.gemini.content import GenerateContentResponse, UsageMetadata
from toplu.workers.steps import Steps
from toplu.workers.storage_faults import StorageFaults

PROJECT = ProjectId("team-a")
ANSWER = Answered.of(
    GenerateContentResponse(
        candidates=[],
        usage_metadata=UsageMetadata(prompt_token_count=1, total_token_count=1),
        model_version="held",
        response_id="one",
    )
)


@dataclass
class BatchWorld:
    settings: Settings
    clock: FakeClock
    database: Database
    jobs: JobRows
    blobs: DiskBlobs
    results: ResultLog
    dropped: list[JobId] = field(default_factory=list)
    faults: StorageFaults = field(default_factory=StorageFaults)

    @classmethod
    async def open(cls, folder: Path, **settings: Any) -> "BatchWorld":
        database = await open_migrated(folder / "toplu.db")
        return cls(
            settings=Settings(shard_requests_max=4, commit_seconds=0.001, **settings),
            clock=FakeClock(),
            database=database,
            jobs=JobRows(database),
            blobs=DiskBlobs(folder / "blobs"),
            results=ResultLog(folder / "results"),
        )

    @property
    def audit(self) -> AuditLog:
        return AuditLog(clock=self.clock, rows=AuditRows(self.database))

    async def close(self) -> None:
        await self.database.close()

    def steps(self, worker: str = "server-1") -> Steps:
        return Steps(
            clock=self.clock, rows=StepRows(self.database), worker=worker, faults=self.faults
        )

    async def due(self, kind: StepKind, worker: str = "server-1") -> Job | None:
        """Return the oldest job that is due for the step and that the worker may take."""
        return await StepRows(self.database).next(kind, worker, self.clock.now())

    def planner(self, worker: str = "server-1") -> Planner:
        return Planner(
            settings=self.settings,
            clock=self.clock,
            jobs=self.jobs,
            steps=self.steps(worker),
            blobs=self.blobs,
            planned=lambda: None,
            begun=Wakeup(),
            faults=self.faults,
        )

    def orderer(self, worker: str = "server-1") -> Orderer:
        return Orderer(
            settings=self.settings,
            clock=self.clock,
            jobs=self.jobs,
            steps=self.steps(worker),
            blobs=self.blobs,
            planned=lambda: None,
            complete=Wakeup(),
            drop_job=self.dropped.append,
            faults=self.faults,
        )

    def writer(self) -> ResultWriter:
        return ResultWriter(
            settings=self.settings,
            # The pause between groups is real, and a thousandth of a second here.
            clock=SystemClock(),
            jobs=self.jobs,
            results=self.results,
            done=Wakeup(),
            faults=self.faults,
        )

    def admission(self) -> Admission:
        return Admission(
            settings=self.settings,
            clock=self.clock,
            jobs=self.jobs,
            blobs=self.blobs,
            quotas=Quotas(
                settings=self.settings, clock=self.clock, rows=ProjectRows(self.database)
            ),
            created=Wakeup(),
            planned=lambda: None,
            complete=Wakeup(),
        )

    def lookup(self) -> Lookup:
        return Lookup(jobs=self.jobs, blobs=self.blobs, audit=self.audit)

    def result_reader(self) -> ResultReader:
        return ResultReader(
            settings=self.settings,
            jobs=self.jobs,
            blobs=self.blobs,
            results=self.results,
            lookup=self.lookup(),
        )

    def retries(self) -> JobRetry:
        return retries_of(self)

    def assembler(self, worker: str = "server-1") -> Assembler:
        return Assembler(
            settings=self.settings,
            clock=self.clock,
            jobs=self.jobs,
            steps=self.steps(worker),
            blobs=self.blobs,
            results=self.results,
            next_wave=waves_of(self).plan_next,
            told=Wakeup(),
            faults=self.faults,
        )

    async def keep_job(self, name: str, lines: list[bytes], **changes: Any) -> Job:
        """Keep an unplanned job with these lines."""

        async def chunks() -> AsyncIterator[bytes]:
            for line in lines:
                yield line + b"\n"

        job = Job(
            id=JobId(name),
            project=PROJECT,
            model="gemini-2.5-flash",
            engine="echo",
            display_name=None,
            input_form=InputForm.FILE,
            input_file="input",
            created=self.clock.now(),
            updated=self.clock.now(),
            expires=self.clock.now() + timedelta(hours=48),
        )
        job = replace(job, **changes)
        await self.blobs.put(paths.input_lines(job.id), chunks())
        await self.jobs.create(job, unfinished_max=100)
        # Jobs made later are younger, which is what their order goes by.
        self.clock.advance(timedelta(seconds=1))
        return job

    async def planned_job(self, name: str, count: int) -> Job:
        await self.keep_job(name, [line_of(index) for index in range(count)])
        await self.planner().step()
        return await self.job(name)

    async def job(self, name: str) -> Job:
        found = await self.jobs.find(PROJECT, JobId(name))
        assert found is not None
        return found

    def scheduler(self, owner: str = "server-1", speeds: Throughputs | None = None) -> Scheduler:
        return Scheduler(
            settings=self.settings, clock=self.clock, jobs=self.jobs, owner=owner, speeds=speeds
        )

    def leased_shards(
        self, scheduler: Scheduler, writer: ResultWriter, wakeups: Wakeups
    ) -> LeasedShards:
        return LeasedShards(
            share_cache=False,
            settings=self.settings,
            clock=self.clock,
            scheduler=scheduler,
            jobs=self.jobs,
            blobs=self.blobs,
            results=self.results,
            writer=writer,
            wakeups=wakeups,
        )

    async def open_shard(
        self, owner: str = "server-1", scheduler: Scheduler | None = None
    ) -> LeasedShard:
        scheduler = scheduler or self.scheduler(owner)
        lease = await scheduler.lease_shard("echo", lane=0)
        assert lease is not None
        return await LeasedShard.open(
            lease, blobs=self.blobs, results=self.results, settings=self.settings
        )

    async def output(self, name: str) -> list[dict[str, Any]]:
        blob = paths.output_lines(JobId(name))
        data = b"".join([piece async for piece in self.blobs.stream(blob)])
        return [json.loads(line) for line in data.splitlines()]


def line_of(index: int) -> bytes:
    contents = [{"parts": [{"text": f"text {index:03}"}]}]
    return json.dumps({"key": f"k{index}", "request": {"contents": contents}}).encode()


def record(index: int, *, succeeded: bool = True) -> Record:
    payload = json.dumps({"index": index, "succeeded": succeeded}).encode()
    return Record(index=index, succeeded=succeeded, payload=payload)


def result_of(index: int, *, succeeded: bool = True, usage: Usage = NO_TOKENS) -> Record:
    """Return an outcome whose line is written as the server writes it."""
    outcome: dict[str, Any] = {"response": {}}
    if not succeeded:
        outcome = {"error": {"code": 13, "message": "no"}}
    payload = json.dumps(outcome, separators=(",", ":")).encode()
    return Record(index=index, succeeded=succeeded, payload=payload, usage=usage)


async def make_durable(shard: LeasedShard, results: Results, records: list[Record]) -> None:
    """Put outcomes into the log as the writer does, which the rows do not hear of."""
    (end,) = await results.append_all([shard.addition(records)])
    assert isinstance(end, int)
    shard.added(records, end)


def taken(shard: LeasedShard) -> list[int]:
    """Take everything that the run would start."""
    (span,) = shard.spans
    indexes = []
    while duplicates := span.take():
        indexes += [line.index for line in duplicates]
    return indexes


async def answer_all(world: BatchWorld, requests: RequestRunner, writer: ResultWriter) -> None:
    """Lease and answer until nothing is free."""
    scheduler = world.scheduler()
    while (lease := await scheduler.lease_shard("echo", lane=0)) is not None:
        shard = await LeasedShard.open(
            lease, blobs=world.blobs, results=world.results, settings=world.settings
        )
        while duplicates := shard.spans[0].take():
            async for records in requests.outcomes(lease.job, duplicates, lane=0):
                for one in records:
                    writer.add(shard, one)
