"""The client changes what may be changed of a batch: its name, its priority, whether it goes on."""

from collections.abc import Callable

import structlog

from toplu.batch.jobs.input import AnyBatch, check_display_name, method_of
from toplu.batch.lookup import MISSING
from toplu.clock import Clock
from toplu.deed import Action
from toplu.errors import FailedPrecondition, InvalidArgument, NotFound
from toplu.job import Job, JobId, Method, ProjectId
from toplu.store.rows.jobs import JobRows
from toplu.webhooks.config import kept_config

log = structlog.get_logger()

UPDATE_BODIES = {
    Method.GENERATE: "UpdateGenerateContentBatchRequest",
    Method.EMBED: "UpdateEmbedContentBatchRequest",
}
WRITABLE = {"displayName": "display_name", "priority": "priority"}


class JobUpdate:
    """Changes jobs without moving them."""

    def __init__(
        self,
        *,
        clock: Clock,
        jobs: JobRows,
        paused: Callable[[JobId], None],
        resumed: Callable[[], None],
    ) -> None:
        self._clock = clock
        self._jobs = jobs
        self._paused = paused  # called when nothing more of a job is to be begun
        self._resumed = resumed  # called when there are shards to lease again

    async def update(
        self, project: ProjectId, job_id: JobId, batch: AnyBatch, changes: dict[str, object]
    ) -> Job:
        """Return the job with the changes, which are of WRITABLE; None clears a field.

        The rest of `batch` is what the client believes the batch to be. What it gives and cannot
        change is an error if it differs, and set by the server otherwise.
        """
        job = await self._jobs.find(project, job_id)
        if job is None:
            raise NotFound(MISSING)
        _check(batch, job)
        check_display_name(batch.display_name, UPDATE_BODIES[job.method])
        if "priority" in changes:
            changes["priority"] = int(batch.priority or 0)
        changed = await self._jobs.amend(project, job_id, changes, self._clock.now())
        if changed is None:
            raise NotFound(MISSING)
        log.info("job_amended", job=job_id, fields=sorted(changes))
        return changed

    async def pause(self, project: ProjectId, job_id: JobId, *, paused: bool) -> Job:
        """Begin nothing more of the batch, or go on with it; to do so twice changes nothing.

        What runs is finished, and its target and its expiry stay as they are.
        """
        job = await self._jobs.find(project, job_id)
        if job is None:
            raise NotFound(MISSING)
        if job.is_final:
            verb = "paused" if paused else "resumed"
            raise FailedPrecondition(
                f"batches/{job.batch} is {job.state}: only one that has not ended can be {verb}."
            )
        action = Action.BATCH_PAUSE if paused else Action.BATCH_RESUME
        now = self._clock.now()
        changed = await self._jobs.amend(project, job_id, {"paused": paused}, now, action)
        if changed is None:
            raise NotFound(MISSING)
        log.info("job_paused" if paused else "job_resumed", job=job_id)
        for part in (await self._jobs.batches(project, [job_id])).get(job_id, []) if paused else []:
            self._paused(part.id)
        if not paused:
            self._resumed()
        return changed


def _check(batch: AnyBatch, job: Job) -> None:
    if method_of(batch) is not job.method:
        raise InvalidArgument(f"batches/{job.id} is not a batch of this kind of requests.")
    config = batch.webhook_config
    if config is not None and kept_config(config) != job.webhook_config:
        raise InvalidArgument("batch.webhookConfig cannot be changed.")
    if batch.model is not None and batch.model.removeprefix("models/") != job.model:
        raise InvalidArgument(f"batch.model cannot be changed: it is models/{job.model}.")
    if batch.input_config is not None:
        input_file = None if job.input_file is None else f"files/{job.input_file}"
        if input_file is None or batch.input_config.file_name != input_file:
            raise InvalidArgument("batch.inputConfig cannot be changed.")
