"""The last step of hop 2: what has its input kept becomes a job, if its project has room for it."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import structlog

from toplu.batch import paths
from toplu.batch.jobs.carried import Carried
from toplu.batch.loop import Wakeup
from toplu.batch.plan.ordering import PlanRules
from toplu.batch.plan.planner import plan_at_creation
from toplu.clock import Clock, random_id
from toplu.errors import TopluError
from toplu.idempotency import IdempotencyKey
from toplu.job import (
    BYTES_OF_A_TOKEN,
    InputForm,
    Job,
    JobId,
    Method,
    ProjectId,
    RequestCounts,
    Shard,
    Wire,
)
from toplu.money import FREE
from toplu.projects.quotas import Quotas
from toplu.settings.server import Settings
from toplu.store.blobs.blobs import Blobs
from toplu.store.rows.jobs import JobRows, NewPart
from toplu.tracing import names
from toplu.tracing.spans import SPANS

log = structlog.get_logger()

# With the prefix `batch-` the id of the results file keeps within the 40 characters of a file id.
JOB_ID_LENGTH = 34


def new_job_id() -> JobId:
    """Return an id under which an input may be kept."""
    return JobId(random_id(JOB_ID_LENGTH))


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A job before it is kept; its input is kept under its id."""

    id: JobId
    project: ProjectId
    model: str  # as the client asked for it, without `models/`
    engine: str
    method: Method
    display_name: str | None = None
    input_form: InputForm
    input_file: str | None
    input_sha256: str | None
    input_origin: bytes | None = None
    size_bytes: int  # of the input
    total: int = 0  # requests; 0: not known before it is planned
    priority: int = 0
    retry_of: JobId | None = None
    wire: Wire = Wire.GEMINI
    wire_details: bytes | None = None
    webhook_config: bytes | None = None
    reuse: bool | None = None  # None: as the settings say
    life: timedelta | None = None  # until it expires; None: as the settings say
    key: IdempotencyKey | None = None  # by which the client may ask for it again
    carried: Carried = field(default_factory=Carried)  # results that it has from the start


class Admission:
    """Makes jobs within the limits of their projects."""

    def __init__(
        self,
        *,
        settings: Settings,
        clock: Clock,
        jobs: JobRows,
        blobs: Blobs,
        quotas: Quotas,
        created: Wakeup,
        planned: Callable[[], None],
        complete: Wakeup,
    ) -> None:
        self._settings = settings
        self._prices = {model.name: settings.prices_of(model) for model in settings.models}
        self._life = timedelta(seconds=settings.job_life_seconds)
        self._reuse = settings.reuse == "project"
        self._clock = clock
        self._jobs = jobs
        self._blobs = blobs
        self._quotas = quotas
        self._created = created  # set when there is a job to plan
        self._planned = planned  # called when there are shards to lease
        self._complete = complete  # set when there is a job to assemble

    @asynccontextmanager
    async def keeping_input(self, *jobs: JobId) -> AsyncIterator[None]:
        """Remove what the block has kept of the jobs' inputs if it fails."""
        try:
            yield
        except BaseException:
            # A full disk may have taken a part of it.
            for job in jobs:
                await self._blobs.delete_folder(paths.folder(job))
            raise

    async def admit(self, first: Candidate, *others: Candidate) -> Job:
        """Return the PENDING job, durable with its input; if it is refused, the input goes.

        `others` are parts of its batch: either all of them are made or none is.
        """
        async with self.keeping_input(first.id, *(it.id for it in others)):
            made = await self._plan(first)
            parts = [await self._plan(it, part_of=first.id) for it in others]
            await self._jobs.create(
                made.job,
                unfinished_max=await self._quotas.concurrent_batches_max(first.project),
                enqueued_tokens_max=made.enqueued_tokens_max,
                cut=made.cut,
                carried=made.carried,
                parts=parts,
                key=first.key,
            )
        for part in (made, *parts):
            self._tell(part)
        return made.job

    async def _plan(self, it: Candidate, part_of: JobId | None = None) -> NewPart:
        shards: list[Shard] = []
        if not it.carried.is_all:
            shards = await plan_at_creation(
                self._blobs,
                PlanRules.of(self._settings, it),
                it.id,
                size_bytes=it.size_bytes,
                carried=it.carried.marks,
            )
        tier = await self._quotas.tier_of(it.project)
        return NewPart(
            job=self._job_of(it, shards, part_of),
            enqueued_tokens_max=tier.enqueued_tokens_for(it.engine),
            cut=[*shards, *it.carried.shards],
            carried=it.carried.segments,
        )

    def _tell(self, made: NewPart) -> None:
        job = made.job
        if not job.counts.pending:
            self._complete.set()
        SPANS.begin_job(
            job.id,
            {
                names.PROJECT: job.project,
                names.REQUEST_MODEL: job.model,
                names.ENGINE: job.engine,
            },
        )
        log.info("job_created", job=job.id, model=job.model, input=str(job.input_form))
        if job.planned:
            log.info("job_planned", job=job.id, shards=len(made.cut), whole=True)
            self._planned()
        else:
            self._created.set()

    async def refuse(self, it: Candidate, error: TopluError) -> Job:
        """Return a job that has FAILED because its input is wrong as a whole; the input goes."""
        await self._blobs.delete_folder(paths.folder(it.id))
        failed = await self._jobs.create(
            self._job_of(it, []),
            unfinished_max=await self._quotas.concurrent_batches_max(it.project),
            key=it.key,
            error=error.as_request_error(),
        )
        log.info("job_refused", job=it.id, model=it.model, reason=error.message)
        return failed

    def _job_of(self, it: Candidate, shards: list[Shard], part_of: JobId | None = None) -> Job:
        now = self._clock.now()
        life = self._life if it.life is None else min(it.life, self._life)
        return Job(
            id=it.id,
            project=it.project,
            model=it.model,
            engine=it.engine,
            method=it.method,
            display_name=it.display_name,
            input_form=it.input_form,
            input_file=it.input_file,
            input_sha256=it.input_sha256,
            input_origin=it.input_origin,
            counts=RequestCounts(
                total=it.total or sum(shard.count for shard in shards),
                succeeded=it.carried.count,
                carried=it.carried.count,
            ),
            planned=bool(shards) or it.carried.is_all,
            prices=self._prices.get(it.engine, FREE),  # one that is refused may name no engine
            priority=it.priority,
            reuse=self._reuse if it.reuse is None else it.reuse,
            tokens_estimate=-(-it.size_bytes // BYTES_OF_A_TOKEN),
            created=now,
            updated=now,
            expires=now + life,
            part_of=part_of,
            retry_of=it.retry_of,
            wire=it.wire,
            wire_details=it.wire_details,
            webhook_config=it.webhook_config,
        )
