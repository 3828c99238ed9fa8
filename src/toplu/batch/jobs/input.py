"""The input of a create call: checked, then kept as lines of the job, in whatever form it came."""

import hashlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from toplu.batch import paths
from toplu.batch.jobs import input_check
from toplu.batch.line_formats import FORMS
from toplu.errors import FieldViolation, InvalidArgument
from toplu.files.library import Library, StoredFile
from toplu.files.part_source import FILE_URI
from toplu.files.registration import Registration
from toplu.job import JobId, Method, ProjectId
from toplu.outbound.fetcher import is_address
from toplu.settings.server import Settings
from toplu.store.blobs.blobs import Blobs
from toplu.webhooks.config import check_config
from toplu.wire.gemini import jsonl
from toplu.wire.gemini.batch import GenerateContentBatch, InlinedRequest
from toplu.wire.gemini.embedding import EmbedContentBatch, InlinedEmbedContentRequest

AnyBatch = GenerateContentBatch | EmbedContentBatch
AnyInlinedRequest = InlinedRequest | InlinedEmbedContentRequest

DISPLAY_NAME_LENGTH_MAX = 512
FILE_NAME_FIELD = "batch.input_config.file_name"

# What the hosted service calls the body of the create call.
BODIES = {
    Method.GENERATE: "BatchGenerateContentRequest",
    Method.EMBED: "AsyncBatchEmbedContentRequest",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptInput:
    """The input of a job, durable."""

    file: str | None = None  # None: it came inline
    size_bytes: int
    sha256: str
    origin: bytes | None = None  # of a file that was fetched
    total: int = 0  # requests; of a file 0, until it is planned


class JobInputs:
    """Keeps the inputs of jobs that are to be."""

    def __init__(
        self,
        *,
        settings: Settings,
        library: Library,
        blobs: Blobs,
        registration: Registration | None = None,
    ) -> None:
        self._settings = settings
        self._registration = registration  # None: nothing is fetched, as in a dry run
        self._library = library
        self._blobs = blobs

    async def keep(
        self, job_id: JobId, project: ProjectId, model: str, batch: AnyBatch
    ) -> KeptInput:
        """Keep the input of the batch, durable; InvalidArgument: something of the call is wrong.

        What was kept before it failed is the caller's to remove.
        """
        _check_batch(batch, model, method_of(batch))
        check_config(self._settings.webhooks, batch.webhook_config)
        config = batch.input_config
        assert config is not None, "checked above"
        if config.file_name is not None:
            return await self._link_file(job_id, project, config.file_name, method_of(batch))
        assert config.requests is not None, "checked above"
        requests: Sequence[AnyInlinedRequest] = config.requests.requests or []
        _check_requests(requests, model, method_of(batch))
        digest = hashlib.sha256()
        size_bytes = await self._blobs.put(paths.input_lines(job_id), _lines(requests, digest))
        return KeptInput(size_bytes=size_bytes, sha256=digest.hexdigest(), total=len(requests))

    async def _link_file(
        self, job_id: JobId, project: ProjectId, name: str, method: Method
    ) -> KeptInput:
        stored = await self._stored(project, name)
        name = stored.id
        try:
            await input_check.check_file(self._blobs, stored, FORMS[method], self._settings)
            await self._blobs.link(stored.blob, paths.input_lines(job_id))
        except FileNotFoundError:
            # Deleted meanwhile: this says so, as it would have a moment later.
            await self._library.get(project, name)
            raise
        return KeptInput(
            file=stored.id,
            size_bytes=stored.size_bytes,
            sha256=stored.sha256,
            origin=stored.origin,
        )

    async def _stored(self, project: ProjectId, name: str) -> StoredFile:
        if not is_address(name) or FILE_URI.fullmatch(name):
            return await self._library.get(project, name)
        if self._registration is None:
            raise InvalidArgument(
                f"{FILE_NAME_FIELD}: a dry run fetches nothing: make a file of the address first, "
                "by files:register."
            )
        return await self._registration.register(project, name, FILE_NAME_FIELD)


async def _lines(
    requests: Sequence[AnyInlinedRequest], digest: "hashlib._Hash"
) -> AsyncIterator[bytes]:
    for request in requests:
        line = jsonl.write_inlined(request) + b"\n"
        digest.update(line)
        yield line


def _check_batch(batch: AnyBatch, model: str, method: Method) -> None:
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
