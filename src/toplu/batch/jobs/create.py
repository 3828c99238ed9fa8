"""Hops 1 and 2: checks a create call to the end, then keeps the job with its input.

A call that is refused leaves nothing behind. Calling twice makes two jobs, as specified.
"""

from toplu.batch.jobs.admission import Admission, Candidate, new_job_id
from toplu.batch.jobs.input import AnyBatch, JobInputs, method_of
from toplu.idempotency import IdempotencyKey
from toplu.job import InputForm, Job, ProjectId
from toplu.webhooks.config import kept_config


class JobCreation:
    """Turns create calls into jobs."""

    def __init__(self, *, inputs: JobInputs, admission: Admission) -> None:
        self._inputs = inputs
        self._admission = admission

    async def create(
        self,
        *,
        project: ProjectId,
        model: str,
        engine: str,
        batch: AnyBatch,
        reuse: bool | None = None,
        key: IdempotencyKey | None = None,
    ) -> Job:
        """Return the PENDING job, durable with its input.

        `model` is the name asked for, without `models/`; `engine` is what it stands for. Without
        `reuse` it shares answers as the settings say. Raises AlreadyCreated if the key has made a
        job before.
        """
        job_id = new_job_id()
        async with self._admission.keeping_input(job_id):
            kept = await self._inputs.keep(job_id, project, model, batch)
        return await self._admission.admit(
            Candidate(
                id=job_id,
                project=project,
                model=model,
                engine=engine,
                method=method_of(batch),
                display_name=batch.display_name,
                input_form=InputForm.INLINE if kept.file is None else InputForm.FILE,
                input_file=kept.file,
                input_sha256=kept.sha256,
                input_origin=kept.origin,
                size_bytes=kept.size_bytes,
                total=kept.total,
                priority=int(batch.priority or 0),
                reuse=reuse,
                webhook_config=kept_config(batch.webhook_config),
                key=key,
            )
        )
