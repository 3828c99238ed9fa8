"""The jobs that this server holds: their rows, their shards and the leases on these.

Every method is one transaction. A deleted job is invisible to all of them but `deleted` and
`forget`, and what was running for it finds its leases lost.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TypeVar

from sqlalchemy import ColumnElement, Connection, func, select

from toplu.deed import Action
from toplu.errors import RequestError
from toplu.idempotency import IdempotencyKey
from toplu.job import Job, JobId, JobState, Lease, ProjectId, Shard, Share, Wire
from toplu.store.blobs.result_log import Segment
from toplu.store.rows import batches, job_mapping, job_room, leases
from toplu.store.rows.at_work import AtWork, write_changes
from toplu.store.rows.batches import NewPart
from toplu.store.rows.database import Database
from toplu.store.rows.files import StoredFile
from toplu.store.rows.idempotency import note_creation
from toplu.store.rows.job_mapping import job_of, move_job
from toplu.store.rows.locks import lock_project
from toplu.store.rows.pages import PageMark, newest_first
from toplu.store.rows.progress import Progress, record_progress
from toplu.store.rows.schema import jobs, segments, shards
from toplu.store.rows.shares import Competition, read_competition
from toplu.store.rows.waves import plan_wave

__all__ = ["JobRows", "NewPart", "PageMark", "Progress"]

Changed = TypeVar("Changed")
ROUND_MAX = 1000  # jobs that one look of the janitor returns


class JobRows:
    """Keeps jobs and moves them; a move that `job.MOVES` does not allow does not happen."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(
        self,
        job: Job,
        unfinished_max: int,
        enqueued_tokens_max: int | None = None,
        cut: Sequence[Shard] = (),
        *,
        carried: Sequence[Segment] = (),
        parts: Sequence[NewPart] = (),
        key: IdempotencyKey | None = None,
        error: RequestError | None = None,
    ) -> Job:
        """Add the job, or raise ResourceExhausted if its project has too many unfinished ones.

        `enqueued_tokens_max` bounds the estimated tokens of those that have the same engine.
        `cut` are the shards of a job that is planned already, and those that are done from the
        start, whose logs are `carried`. `parts` are the jobs of the same batch for other engines.
        A `key` raises as `store.rows.idempotency` says. With an `error` it has FAILED at once.
        """

        def insert(connection: Connection) -> Job | None:
            lock_project(connection, job.project)
            note_creation(connection, key, job.id, job.created)
            job_mapping.insert_job(connection, job, unfinished_max, enqueued_tokens_max)
            job_mapping.insert_shards(connection, job.id, cut)
            job_mapping.insert_carried(connection, job, cut, carried)
            batches.insert_parts(connection, parts, unfinished_max)
            batches.note_made(connection, job)
            if error is None:
                return job
            return move_job(connection, job.id, JobState.FAILED, job.created, error=error)

        made = await self._change(insert)
        assert made is not None, "it has just been made"
        return made

    async def find(self, project: ProjectId, job_id: JobId) -> Job | None:
        return await self._find(jobs.c.project == project, jobs.c.id == job_id)

    async def batches(self, project: ProjectId, job_ids: Sequence[JobId]) -> dict[JobId, list[Job]]:
        """Return the parts of each batch, first the one by whose id it is known."""
        return await self._database.read(lambda c: batches.read_batches(c, project, job_ids))

    async def page(
        self,
        project: ProjectId,
        size: int,
        after: PageMark | None = None,
        *,
        wire: Wire | None = Wire.GEMINI,
    ) -> list[Job]:
        """Return up to `size` batches that came by an API, the first job of each, newest first.

        None is any API.
        """
        query = select(jobs).where(
            jobs.c.project == project, jobs.c.part_of.is_(None), job_room.is_visible()
        )
        if wire is not None:
            query = query.where(jobs.c.wire == wire)
        return await self._database.read(
            lambda c: [job_of(row) for row in c.execute(newest_first(query, jobs, size, after))]
        )

    async def begin_plan(self, job_id: JobId, cut: list[Shard], at: datetime) -> bool:
        """Keep the first shards of a job, to be leased while the rest is planned.

        False if the job is final or gone, or has shards already. Until it is planned its total is
        no less than what these hold.
        """
        return await self._database.write(lambda c: job_mapping.begin_plan(c, job_id, cut, at))

    async def plan(self, job_id: JobId, cut: list[Shard], total: int, at: datetime) -> bool:
        """Keep the shards, or those behind the first; False if final, gone or planned already.

        Requests that wait for others are of the total and in no shard yet. A job of which nothing
        is to be leased starts running here, so that it is found complete, or its first wave due.
        """
        return await self._database.write(lambda c: job_mapping.plan_job(c, job_id, cut, total, at))

    async def plan_wave(self, job_id: JobId, cut: list[Shard], tokens: int, at: datetime) -> bool:
        """Keep the shards of a wave; False if they are kept, or the job is final or gone.

        `tokens` is how many more the input is taken for, now that the wave is expanded.
        """
        return await self._database.write(lambda c: plan_wave(c, job_id, cut, tokens, at))

    async def competition(
        self, engine: str, now: datetime, besides: str | None = None
    ) -> Competition:
        """Return the jobs that compete for the engine; see `store.rows.shares`.

        `besides` is a worker that knows by itself what its lanes are at.
        """
        return await self._database.read(lambda c: read_competition(c, engine, now, besides))

    async def lease_shard(
        self,
        *,
        engine: str,
        owner: str,
        now: datetime,
        expires: datetime,
        job: JobId | None = None,
        after: Shard | None = None,
        share: Share | None = None,
        at_work: Sequence[AtWork] = (),
    ) -> Lease | None:
        """Lease a free shard of the job, or of the engine's oldest job that has one.

        It is the one behind `after`, if that one is free; else one far from what others hold.
        Free is what is not done and not leased, or leased until `now` at most. The job's first
        lease sets it running. `share` is what the turn makes of that of the job's project,
        `at_work` what the lease changes in what the owner's lanes are at.
        """
        return await self._change(
            lambda c: leases.lease_shard(
                c,
                engine=engine,
                owner=owner,
                now=now,
                expires=expires,
                wanted=job,
                after=after,
                share=share or Share(),
                at_work=at_work,
            )
        )

    async def renew(self, held: Sequence[Lease], expires: datetime) -> list[Lease]:
        """Prolong the leases; return those that still count, with their new expiry."""
        return await self._change(lambda c: leases.renew_leases(c, held, expires))

    async def give_back(self, lease: Lease) -> None:
        """Let another worker have the shard at once; a lease that was lost changes nothing."""
        await self._change(lambda c: leases.give_back_lease(c, lease))

    async def record(
        self, group: Sequence[Progress], at: datetime, at_work: Sequence[AtWork] = ()
    ) -> list[Lease]:
        """Write what leases achieved; return the leases that are lost, which changed nothing.

        It is not synced: counts follow the result log, which is, and from which the next holder of
        a shard reads them again. `at_work` is what has changed meanwhile in what the owner's lanes
        are at.
        """

        def write(connection: Connection) -> list[Lease]:
            write_changes(connection, at_work)
            return record_progress(connection, group, at)

        return await self._database.write(write, is_synced=False, locks_rows=True)

    async def shards(self, job_id: JobId) -> list[Shard]:
        """Return the job's shards in input order."""
        query = select(shards).where(shards.c.job == job_id).order_by(shards.c.number)
        return await self._database.read(
            lambda c: [job_mapping.shard_of(row) for row in c.execute(query)]
        )

    async def segments(self, job_id: JobId, shard: int | None = None) -> list[Segment]:
        """Return how far each segment of the job, or of one shard, is valid; by shard and epoch."""
        query = select(segments).where(segments.c.job == job_id)
        if shard is not None:
            query = query.where(segments.c.shard == shard)
        query = query.order_by(segments.c.shard, segments.c.epoch)
        return await self._database.read(
            lambda c: [Segment(**row._asdict()) for row in c.execute(query)]
        )

    async def move(
        self, job_id: JobId, target: JobState, at: datetime, error: RequestError | None = None
    ) -> Job | None:
        """Move the job and return it, or None if there is no such move: it is final or gone."""
        return await self._change(lambda c: move_job(c, job_id, target, at, error=error))

    async def move_batch(
        self, job_id: JobId, target: JobState, at: datetime, error: RequestError | None = None
    ) -> list[Job]:
        """Move the job and the other parts of its batch; return those that have moved."""
        return await self._change(lambda c: batches.move_batch(c, job_id, target, at, error))

    async def amend(
        self,
        project: ProjectId,
        job_id: JobId,
        changes: Mapping[str, object],
        at: datetime,
        action: Action = Action.BATCH_UPDATE,
    ) -> Job | None:
        """Change columns that moves do not touch of all jobs of the batch; None: it is gone."""
        return await self._change(
            lambda c: batches.amend(c, project, job_id, changes, at, action=action)
        )

    async def succeed(
        self,
        job_id: JobId,
        at: datetime,
        results: StoredFile | None = None,
        output_sha256: str | None = None,
    ) -> Job | None:
        """Move to SUCCEEDED together with the row of the results file; None as for `move`."""
        return await self._change(lambda c: batches.succeed(c, job_id, at, results, output_sha256))

    async def expired(self, now: datetime) -> list[Job]:
        """Return unfinished jobs past their expiry, a bounded number at a time."""
        return await self._list(job_room.is_unfinished(), jobs.c.expires <= now)

    async def next_expiry(self) -> datetime | None:
        """Return when the first unfinished job expires."""
        query = select(func.min(jobs.c.expires)).where(job_room.is_unfinished())
        return await self._database.read(lambda c: c.scalar(query))

    async def ended_before(self, moment: datetime) -> list[Job]:
        """Return the first jobs of batches that ended before `moment`, a bounded number."""
        return await self._list(
            job_room.is_visible(),
            jobs.c.part_of.is_(None),
            jobs.c.ended < moment,
            ~batches.has_unended_part(moment),
        )

    async def mark_deleted(self, project: ProjectId, job_id: JobId, at: datetime) -> list[Job]:
        """Make a batch with its results files invisible; return its jobs, none if it is gone."""
        return await self._change(lambda c: batches.mark_deleted(c, project, job_id, at))

    async def deleted(self) -> list[JobId]:
        """Return jobs marked as deleted and not forgotten, a bounded number at a time."""
        query = select(jobs.c.id).where(jobs.c.deleted.is_(True)).limit(ROUND_MAX)
        return await self._database.read(lambda c: [JobId(row.id) for row in c.execute(query)])

    async def known(self) -> set[JobId]:
        """Return the id of every job that has a row, deleted ones included."""
        query = select(jobs.c.id)
        return await self._database.read(lambda c: {JobId(row.id) for row in c.execute(query)})

    async def forget(self, job_id: JobId) -> None:
        """Remove all rows of a job that is marked as deleted; idempotent."""
        await self._database.write(lambda c: batches.forget_job(c, job_id))

    async def _change(self, work: Callable[[Connection], Changed]) -> Changed:
        return await self._database.write(work, locks_rows=True)

    async def _find(self, *conditions: ColumnElement[bool]) -> Job | None:
        return await self._database.read(lambda c: job_mapping.find_job(c, *conditions))

    async def _list(self, *conditions: ColumnElement[bool]) -> list[Job]:
        query = select(jobs).where(*conditions).order_by(jobs.c.created).limit(ROUND_MAX)
        return await self._database.read(lambda c: [job_of(row) for row in c.execute(query)])
