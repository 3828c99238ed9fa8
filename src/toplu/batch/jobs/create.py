"""Hops 1 and 2: checks a create call to the end, then keeps the job with its input.

A call that is refused leaves nothing behind. Calling twice makes two jobs, as specified.
"""

import hashlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from toplu.batch import paths
from toplu.batch.jobs import input_check
from toplu.batch.jobs.admission import Admission, Candidate, new_job_id
from toplu.batch.line_formats import FORMS
from toplu.errors import FieldViolation, InvalidArgument, Unimplemented
from toplu.files.library import Library
from toplu.idempotency import IdempotencyKey
from toplu.job import InputForm, Job, JobId, Method, ProjectId
from toplu.settings.server import Settings
from toplu.store.blobs.blobs import Blobs
from toplu.wire.gemini import jsonl
from toplu.wire.gemini.batch import GenerateContentBatch, InlinedRequest
from toplu.wire.gemini.embedding import EmbedContentBatch, InlinedEmbedContentRequest

AnyBatch = GenerateContentBatch | EmbedContentBatch
AnyInlinedRequest = InlinedRequest | InlinedEmbedContentRequest

DISPLAY_NAME_LENGTH_MAX = 512

# What the hosted service calls the body of the create call.
BODIES = {
    Method.GENERATE: "BatchGenerateContentRequest",
    Method.EMBED: "AsyncBatchEmbedContentRequest",
}


class JobCreation:
    """Turns create calls into jobs."""

    def __init__(
        self, *, settings: Settings, library: Library, blobs: Blobs, admission: Admission
    ) -> None:
        self._settings = settings
        self._library = library
        self._blobs = blobs
        self._admission = admission

    async def create(
        self,
        *,
        project: ProjectId,
        model: str,
        engine: str,
        batch: AnyBatch,
        key: IdempotencyKey | None = None,
    ) -> Job:
        """Return the PENDING job, durable with its input.

        `model` is the name asked for, without `models/`; `engine` is what it stands for. Raises
        AlreadyCreated if the key has made a job before.
        """
        method = method_of(batch)
        _check_batch(batch, model, method)
        job_id = new_job_id()
        async with self._admission.keeping_input(job_id):
            kept = await self._keep_input(job_id, project, model, batch)
        return await self._admission.admit(
            Candidate(
                id=job_id,
                project=project,
                model=model,
                engine=engine,
                method=method,
                display_name=batch.display_name,
                input_form=InputForm.INLINE if kept.file is None else InputForm.FILE,
                input_file=kept.file,
                input_sha256=kept.sha256,
                size_bytes=kept.size_bytes,
                total=kept.total,
                priority=int(batch.priority or 0),
                key=key,
            )
        )

    async def _keep_input(
        self, job_id: JobId, project: ProjectId, model: str, batch: AnyBatch
    ) -> "_KeptInput":
        """Check the input and keep it as the job's own blob of lines."""
        config = batch.input_config
        assert config is not None, "checked before"
        if config.file_name is not None:
            return await self._link_file(job_id, project, config.file_name, method_of(batch))
        assert config.requests is not None, "checked before"
        requests: Sequence[AnyInlinedRequest] = config.requests.requests or []
        _check_requests(requests, model, method_of(batch))
        digest = hashlib.sha256()
        size_bytes = await self._blobs.put(paths.input_lines(job_id), _lines(requests, digest))
        return _KeptInput(size_bytes=size_bytes, sha256=digest.hexdigest(), total=len(requests))

    async def _link_file(
        self, job_id: JobId, project: ProjectId, name: str, method: Method
    ) -> "_KeptInput":
        stored = await self._library.get(project, name)
        try:
            await input_check.check_file(self._blobs, stored, FORMS[method], self._settings)
            await self._blobs.link(stored.blob, paths.input_lines(job_id))
        except FileNotFoundError:
            # Deleted meanwhile: this says so, as it would have a moment later.
            await self._library.get(project, name)
            raise
        return _KeptInput(file=stored.id, size_bytes=stored.size_bytes, sha256=stored.sha256)


@dataclass(frozen=True, slots=True, kw_only=True)
class _KeptInput:
    """The input of a job, durable."""

    file: str | None = None  # None: it came inline
    size_bytes: int
    sha256: str
    total: int = 0  # requests; of a file 0, until it is planned


async def _lines(
    requests: Sequence[AnyInlinedRequest], digest: "hashlib._Hash"
) -> AsyncIterator[bytes]:
    for request in requests:
        line = jsonl.write_inlined(request) + b"\n"
        digest.update(line)
        yield line


def _check_batch(batch: AnyBatch, model: str, method: Method) -> None:
    if batch.webhook_config is not None:
        raise Unimplemented("batch.webhookConfig is not served by this server yet.")
    if batch.model is not None and batch.model.removeprefix("models/") != model:
        raise _violation(
            method, "batch.model", f"{batch.model} is not the model of the URL, models/{model}"
        )
    check_display_name(batch.display_name, BODIES[method])
    config = batch.input_config
    if config is None or (config.file_name is None) == (config.requests is None):
        reason = "exactly one of file_name and requests must be set"
        raise _violation(method, "batch.input_config", reason)


def _check_requests(requests: Sequence[AnyInlinedRequest], model: str, method: Method) -> None:
    path = "batch.input_config.requests.requests"
    if not requests:
        raise _violation(method, path, "requests is not specified")
    for index, entry in enumerate(requests):
        if entry.request is None:
            raise _violation(method, f"{path}[{index}].request", "request is not specified")
        name = entry.request.model
        if name is not None and name.removeprefix("models/") != model:
            raise _violation(
                method,
                f"{path}[{index}].request.model",
                f"{name} is not the model of the batch, models/{model}",
            )


def method_of(batch: AnyBatch) -> Method:
    """Return what the requests of the batch ask for."""
    return Method.EMBED if isinstance(batch, EmbedContentBatch) else Method.GENERATE


def check_display_name(name: str | None, body: str) -> None:
    """Raise InvalidArgument for a name that is too long; `body` is what the hosted service says."""
    if len(name or "") > DISPLAY_NAME_LENGTH_MAX:
        path, reason = "batch.display_name", f"is longer than {DISPLAY_NAME_LENGTH_MAX} characters"
        raise InvalidArgument.of_fields([FieldViolation(path, f"* {body}.{path}: {reason}\n")])


def _violation(method: Method, path: str, reason: str) -> InvalidArgument:
    """Return an error in the form that the hosted service gives to a broken field rule."""
    return InvalidArgument.of_fields(
        [FieldViolation(path, f"* {BODIES[method]}.{path}: {reason}\n")]
    )
