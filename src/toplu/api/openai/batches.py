"""Batches: make, list, find, cancel; and what is beyond OpenAI's API: results, retry, receipt."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta

from starlette.responses import Response
from starlette.routing import Route

from toplu.api.gemini.receipts import receipt_of
from toplu.api.http.gate import Call, read_body
from toplu.api.http.idempotency import REPLAYED, key_of
from toplu.api.http.responses import json_response
from toplu.api.http.streaming.json_lines import JsonLines
from toplu.api.openai.batch.details import BatchDetails, details_of
from toplu.api.openai.batch.input import InputTranslator
from toplu.api.openai.batch.output import OutputForm
from toplu.api.openai.batch.resource import batch_of, job_id_of
from toplu.api.openai.endpoints import BY_URL, Endpoint
from toplu.api.openai.files import FileNotFound, find_stored
from toplu.api.openai.gate import PREFIX, OpenaiGate
from toplu.api.openai.models import OpenaiModels
from toplu.api.openai.paging import limit_of
from toplu.batch.jobs.cancel import JobCancellation
from toplu.batch.jobs.retry import JobRetry
from toplu.batch.jobs.translated import TranslatedCreation, TranslatedForm
from toplu.batch.lookup import Lookup
from toplu.batch.results.reader import ResultReader
from toplu.batch.results.receipt import Receipts
from toplu.batch.schedule.wait_reason import WaitReasons
from toplu.errors import Aborted, NotFound
from toplu.files.library import Library
from toplu.idempotency import AlreadyCreated, Creation
from toplu.job import Job, JobState, Wire
from toplu.settings.server import Settings
from toplu.wire.openai.batch import Batch, BatchPage, NewBatch
from toplu.wire.openai.message import InvalidParameter, UnsupportedParameter, read

WINDOWS = {"24h": timedelta(hours=24)}
PAGE_SIZE, PAGE_SIZE_MAX = 20, 100
METADATA_MAX, KEY_LENGTH_MAX, VALUE_LENGTH_MAX = 16, 64, 512
LIFE_SECONDS = (3600, 30 * 24 * 3600)
COUNT_HEADER = "X-Toplu-Result-Count"
COMPLETE_HEADER = "X-Toplu-Complete"


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchParts:
    """The parts of a server that batches are made of."""

    library: Library
    creation: TranslatedCreation
    lookup: Lookup
    cancellation: JobCancellation
    results: ResultReader
    retry: JobRetry
    receipts: Receipts
    wait_reasons: WaitReasons


class OpenaiBatches:
    """Handlers of `batches/…`."""

    def __init__(self, *, settings: Settings, models: OpenaiModels, parts: BatchParts) -> None:
        self._settings = settings
        self._models = models
        self._parts = parts

    def routes(self, gate: OpenaiGate) -> list[Route]:
        batches = f"{PREFIX}/batches"
        batch = f"{batches}/{{batch}}"
        return [
            Route(batches, gate.endpoint(self.create), methods=["POST"]),
            Route(batches, gate.endpoint(self.list), methods=["GET"]),
            Route(batch, gate.endpoint(self.find), methods=["GET"]),
            Route(f"{batch}/cancel", gate.endpoint(self.cancel), methods=["POST"]),
            Route(f"{batch}/results", gate.endpoint(self.results), methods=["GET"]),
            Route(f"{batch}/retry", gate.endpoint(self.retry), methods=["POST"]),
            Route(f"{batch}/receipt", gate.endpoint(self.receipt), methods=["GET"]),
        ]

    async def create(self, call: Call) -> Response:
        """Make a batch of an uploaded file; one whose file is wrong as a whole is `failed`."""
        raw = await read_body(call.request, self._settings.inline_bytes_max)
        body = read(NewBatch, raw)
        endpoint, window = _endpoint_of(body), _window_of(body)
        _check_metadata(body.metadata)
        stored = await find_stored(self._parts.library, call, body.input_file_id, "input_file_id")
        try:
            job = await self._parts.creation.create(
                project=call.project,
                file=stored.id,
                form=TranslatedForm(wire=Wire.OPENAI, method=endpoint.method, life=window),
                translator=self._translator(endpoint, body),
                key=key_of(call, Creation.BATCH, raw),
            )
        except AlreadyCreated as before:
            return await self._respond(call, await self._find(call, before.resource), REPLAYED)
        return await self._respond(call, job)

    def _translator(self, endpoint: Endpoint, body: NewBatch) -> InputTranslator:
        details = BatchDetails(
            endpoint=endpoint.url,
            input_file_id=body.input_file_id,
            completion_window=body.completion_window,
            metadata=body.metadata,
            output_life_seconds=_output_life(body),
        )
        return InputTranslator(
            endpoint, details, lambda name: self._models.require(name, endpoint.method)
        )

    async def list(self, call: Call) -> Response:
        """Answer with some batches, the newest first; those of other APIs are not among them."""
        limit = limit_of(call, default=PAGE_SIZE, largest=PAGE_SIZE_MAX)
        after = call.request.query_params.get("after")
        last = None if after is None else await self._find(call, after)
        jobs, more = await self._parts.lookup.page_behind(
            call.project, last, size=limit, wire=Wire.OPENAI
        )
        page = [await self._batch(job) for job in jobs]
        return await json_response(
            call.request,
            BatchPage(
                data=page,
                first_id=page[0].id if page else None,
                last_id=page[-1].id if page else None,
                has_more=more,
            ),
        )

    async def find(self, call: Call) -> Response:
        """Answer with the batch as it stands."""
        return await self._respond(call, await self._find(call, call.path("batch")))

    async def cancel(self, call: Call) -> Response:
        """Start no further line; what is done is in the files of the batch."""
        job = await self._find(call, call.path("batch"))
        if job.is_final and job.state is not JobState.CANCELLED:
            raise Aborted(f"Cannot cancel a batch with status '{batch_of(job).status}'.")
        await self._parts.cancellation.cancel(call.project, job.id)
        return await self._respond(call, await self._find(call, call.path("batch")))

    async def results(self, call: Call) -> Response:
        """Answer with the lines so far, in input order, in the form of an output file."""
        job = await self._find(call, call.path("batch"))
        async with AsyncExitStack() as stack:
            reading = await stack.enter_async_context(
                self._parts.results.partial(call.project, job.id)
            )
            return JsonLines(
                _rendered(reading.pieces, OutputForm(job)),
                stack.pop_all(),
                headers={
                    COUNT_HEADER: str(reading.count),
                    COMPLETE_HEADER: str(reading.is_complete).lower(),
                },
                stall_seconds_max=self._settings.stream_stall_seconds_max,
            )

    async def retry(self, call: Call) -> Response:
        """Make a batch of the lines that failed or were not reached."""
        job = await self._find(call, call.path("batch"))
        details = details_of(job)
        if job.counts.total not in (0, details.lines):
            raise InvalidParameter(
                "batch_id",
                "A batch whose lines have several texts cannot be run again: a part of a line may "
                "have its vectors. Make a batch of the lines in its error file.",
            )
        model = self._models.require(job.model, BY_URL[details.endpoint].method)
        retry = await self._parts.retry.create(job, engine=model.name, display_name=None)
        return await self._respond(call, retry)

    async def receipt(self, call: Call) -> Response:
        """Answer with the receipt of a batch that has ended, its outcomes counted again."""
        job = await self._find(call, call.path("batch"))
        receipt = await self._parts.receipts.write(job)
        return await json_response(call.request, receipt_of(receipt, style="batch"))

    async def _find(self, call: Call, batch_id: str) -> Job:
        try:
            job = await self._parts.lookup.find(call.project, job_id_of(batch_id))
        except NotFound:
            job = None
        if job is None or job.wire is not Wire.OPENAI:
            raise FileNotFound("batch_id", f"No batch found with id '{batch_id}'.")
        return job

    async def _batch(self, job: Job) -> Batch:
        return batch_of(job, await self._parts.wait_reasons.of(job))

    async def _respond(
        self, call: Call, job: Job, headers: dict[str, str] | None = None
    ) -> Response:
        return await json_response(call.request, await self._batch(job), headers=headers)


async def _rendered(pieces: AsyncIterator[bytes], form: OutputForm) -> AsyncIterator[bytes]:
    async for piece in pieces:
        lines = [each for result in piece.splitlines() for each in form.write(result)]
        yield b"".join(each.line + b"\n" for each in lines)


def _endpoint_of(body: NewBatch) -> Endpoint:
    endpoint = BY_URL.get(body.endpoint)
    if endpoint is None:
        known = ", ".join(BY_URL)
        raise UnsupportedParameter(
            "endpoint", f"'endpoint': '{body.endpoint}' is not served; served are {known}."
        )
    return endpoint


def _window_of(body: NewBatch) -> timedelta:
    window = WINDOWS.get(body.completion_window)
    if window is None:
        raise InvalidParameter(
            "completion_window",
            f"Invalid value for 'completion_window': '{body.completion_window}'; it must be '24h'.",
            reason="invalid_value",
        )
    return window


def _check_metadata(metadata: dict[str, str] | None) -> None:
    for key, value in (metadata or {}).items():
        if len(key) > KEY_LENGTH_MAX or len(value) > VALUE_LENGTH_MAX:
            raise InvalidParameter(
                "metadata",
                f"'metadata': keys have up to {KEY_LENGTH_MAX} characters and values up to "
                f"{VALUE_LENGTH_MAX}.",
            )
    if metadata is not None and len(metadata) > METADATA_MAX:
        raise InvalidParameter("metadata", f"'metadata' has up to {METADATA_MAX} keys.")


def _output_life(body: NewBatch) -> int | None:
    if body.output_expires_after is None:
        return None
    seconds, (least, most) = body.output_expires_after.seconds, LIFE_SECONDS
    if not least <= seconds <= most:
        param = "output_expires_after.seconds"
        raise InvalidParameter(param, f"'{param}' must be {least} to {most}.")
    return seconds
