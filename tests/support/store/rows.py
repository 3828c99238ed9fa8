"""Builders of jobs, shards, files and reports that the store's tests begin with."""

from datetime import timedelta
from typing import Any

from support.fake_clock import NOON, FakeClock
from toplu.job import InputForm, Job, JobId, Lease, ProjectId, Shard
from toplu.money import Usage
from toplu.store.blobs.result_log import Segment
from toplu.store.rows.files import FileSource, StoredFile
from toplu.store.rows.jobs import JobRows, Progress
from toplu.store.rows.steps import StepKind, StepRows
from toplu.store.rows.workers import WorkerRows

PROJECT = ProjectId("team-a")
LEASE = timedelta(seconds=60)


def a_job(name: str = "one", *, minutes: int = 0, **changes: object) -> Job:
    """A PENDING job, created `minutes` after noon."""
    created = NOON + timedelta(minutes=minutes)
    values: dict[str, object] = {
        "id": JobId(name),
        "project": PROJECT,
        "model": "gemini-2.5-flash",
        "engine": "echo",
        "display_name": "a name",
        "input_form": InputForm.FILE,
        "input_file": "input",
        "created": created,
        "updated": created,
        "expires": created + timedelta(hours=48),
    }
    return Job(**values | changes)


def some_shards(job: str, *counts: int) -> list[Shard]:
    """Fresh shards of `counts` requests each."""
    return [
        Shard(job=JobId(job), number=number, first=sum(counts[:number]), count=count)
        for number, count in enumerate(counts)
    ]


def a_file(name: str = "results", **changes: object) -> StoredFile:
    values: dict[str, object] = {
        "id": name,
        "project": PROJECT,
        "display_name": None,
        "mime_type": "jsonl",
        "size_bytes": 10,
        "sha256": "0" * 64,
        "created": NOON,
        "updated": NOON,
        "expires": NOON + timedelta(hours=48),
        "source": FileSource.UPLOADED,
        "blob": f"files/{name}",
    }
    return StoredFile(**values | changes)


async def keep_planned(jobs: JobRows, job: Job, *counts: int) -> None:
    await jobs.create(job, unfinished_max=100)
    assert await jobs.plan(job.id, some_shards(job.id, *counts), sum(counts), job.created)


async def lease(
    jobs: JobRows, clock: FakeClock, owner: str = "server-1", **wish: Any
) -> Lease | None:
    now = clock.now()
    return await jobs.lease_shard(engine="echo", owner=owner, now=now, expires=now + LEASE, **wish)


async def due(jobs: JobRows, kind: StepKind, owner: str = "server-1") -> Job | None:
    """Return the oldest job that is due for the step and whose step nobody else has."""
    return await StepRows(jobs._database).next(kind, owner, NOON)


async def end_others(jobs: JobRows, owner: str) -> int:
    """Have every worker but one be found dead; return how many leases they had."""
    rows = WorkerRows(jobs._database)
    return await rows.end(await rows.owners() - {owner})


def progress(lease: Lease, succeeded: int, failed: int = 0, committed_bytes: int = 100) -> Progress:
    """Return the report of a worker that has written one segment."""
    segment = Segment(
        job=lease.job.id,
        shard=lease.shard.number,
        epoch=lease.shard.epoch,
        committed_bytes=committed_bytes,
    )
    usage = Usage(prompt_tokens=10 * succeeded, output_tokens=succeeded)
    return Progress(
        lease=lease,
        segments=(segment,),
        succeeded=succeeded,
        failed=failed,
        deduplicated=0,
        usage=usage,
    )
