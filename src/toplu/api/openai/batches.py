"""Batches: make, list, find, cancel; and what is beyond OpenAI's API: results, retry, receipt."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta

from starlette.responses import Response
from starlette.routing import Route

from toplu.api.http.gate import Call, read_body
from toplu.api.http.idempotency import REPLAYED, key_of
from toplu.api.http.responses import json_response
from toplu.api.http.streaming.pieces import json_lines
from toplu.api.openai.batch.details import BatchDetails, details_of
from toplu.api.openai.batch.dry_run import OpenaiDryRun, validates_only
from toplu.api.openai.batch.input import InputTranslator
from toplu.api.openai.batch.output import OutputForm
from toplu.api.openai.batch.receipts import receipt_of_batch
from toplu.api.openai.batch.resource import batch_of, job_id_of
from toplu.api.openai.batch.retried import RetriedLines
from toplu.api.openai.endpoints import BY_URL, Endpoint
from toplu.api.openai.files import FileNotFound, find_stored
from toplu.api.openai.gate import PREFIX, OpenaiGate
from toplu.api.openai.models import OpenaiModels
from toplu.api.openai.paging import limit_of
from toplu.batch.jobs.cancel import JobCancellation
from toplu.batch.jobs.retry import JobRetry, Rest
from toplu.batch.jobs.translated import TranslatedCreation, TranslatedForm
from toplu.batch.jobs.update import JobUpdate
from toplu.batch.lookup import Lookup
from toplu.batch.results.merging import merge
from toplu.batch.results.reader import Reading, ResultReader
from toplu.batch.results.receipt import Receipts
from toplu.batch.results.whole import whole_of
from toplu.batch.reuse.asked import reuse_asked
from toplu.batch.schedule.wait_reason import WaitReasons
from toplu.errors import Aborted, NotFound
from toplu.files.library import Library
from toplu.idempotency import AlreadyCreated, Creation
from toplu.job import Job, JobState, Wire
from toplu.settings.server import Settings
from toplu.wire.openai.batch import Batch, BatchPage, NewBatch, RetryBatch
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
    dry_run: OpenaiDryRun
    lookup: Lookup
    cancellation: JobCancellation
    update: JobUpdate
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
            Route(f"{batch}/pause", gate.endpoint(self.pause), methods=["POST"]),
            Route(f"{batch}/resume", gate.endpoint(self.resume), methods=["POST"]),
            Route(f"{batch}/results", gate.endpoint(self.results), methods=["GET"]),
            Route(f"{batch}/retry", gate.endpoint(self.retry), methods=["POST"]),
            Route(f"{batch}/receipt", gate.endpoint(self.receipt), methods=["GET"]),
        ]

    async def create(self, call: Call) -> Response:
        """Make a batch of an uploaded file; one whose file is wrong as a whole is `failed`."""
        raw = await read_body(call.request, self._settings.inline_bytes_max)
        body = read(NewBatch, raw)
        endpoint = _endpoint_of(body)
        form = TranslatedForm(
            wire=Wire.OPENAI,
            method=endpoint.method,
            life=_window_of(body),
            reuse=self._reuse(call, body),
        )
        _check_metadata(body.metadata)
        stored = await find_stored(self._parts.library, call, body.input_file_id, "input_file_id")
        if validates_only(call.request):
            run = self._parts.dry_run.run(call, stored.id, self._translator(endpoint, body))
            return await json_response(call.request, await run)
        try:
            first = await self._parts.creation.create(
                project=call.project,
                file=stored.id,
                form=form,
                translator=self._translator(endpoint, body),
                key=key_of(call, Creation.BATCH, raw),
            )
        except AlreadyCreated as before:
            return await self._respond(call, await self._find(call, before.resource), REPLAYED)
        return await self._respond(call, await self._parts.lookup.batch(call.project, first.id))

    def _reuse(self, call: Call, body: NewBatch) -> bool | None:
        asked, life = reuse_asked(call.request.headers), _output_life(body)
        # What is to be gone before others would have it no more is kept for nobody.
        return asked if life is None or life >= self._settings.reuse_seconds else False

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
        last = None if after is None else (await self._find(call, after))[0]
        batches, more = await self._parts.lookup.page_behind(
            call.project, last, size=limit, wire=Wire.OPENAI
        )
        page = [await self._batch(jobs) for jobs in batches]
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
        jobs = await self._find(call, call.path("batch"))
        whole = whole_of(jobs)
        if whole.is_final and whole.state is not JobState.CANCELLED:
            raise Aborted(f"Cannot cancel a batch with status '{batch_of(jobs).status}'.")
        await self._parts.cancellation.cancel(call.project, whole.id)
        return await self._respond(call, await self._find(call, call.path("batch")))

    async def pause(self, call: Call) -> Response:
        """Begin nothing more of the batch."""
        return await self._pause(call, paused=True)

    async def resume(self, call: Call) -> Response:
        """Go on with the batch."""
        return await self._pause(call, paused=False)

    async def _pause(self, call: Call, *, paused: bool) -> Response:
        jobs = await self._find(call, call.path("batch"))
        await self._parts.update.pause(call.project, jobs[0].id, paused=paused)
        return await self._respond(call, await self._find(call, call.path("batch")))

    async def results(self, call: Call) -> Response:
        """Answer with the lines so far, in input order, in the form of an output file."""
        jobs = await self._find(call, call.path("batch"))
        async with AsyncExitStack() as stack:
            readings = [
                await stack.enter_async_context(self._parts.results.partial(call.project, job.id))
                for job in jobs
            ]
            return json_lines(
                _rendered(readings, OutputForm(whole_of(jobs))),
                stack.pop_all(),
                headers={
                    COUNT_HEADER: str(sum(reading.count for reading in readings)),
                    COMPLETE_HEADER: str(all(it.is_complete for it in readings)).lower(),
                },
                stall_seconds_max=self._settings.stream_stall_seconds_max,
            )

    async def retry(self, call: Call) -> Response:
        """Make a batch of the lines that failed or were not reached; `merge` adds all others."""
        raw = await read_body(call.request, self._settings.inline_bytes_max)
        body = read(RetryBatch, raw or b"{}")
        jobs = await self._find(call, call.path("batch"))
        method = BY_URL[details_of(jobs[0]).endpoint].method
        rests = [Rest(job=job, engine=self._models.require(job.model, method).name) for job in jobs]
        try:
            retry = await self._parts.retry.create_batch(
                rests, lines=RetriedLines(), merge=body.merge, key=key_of(call, Creation.BATCH, raw)
            )
        except AlreadyCreated as before:
            return await self._respond(call, await self._find(call, before.resource), REPLAYED)
        return await self._respond(call, await self._parts.lookup.batch(call.project, retry.id))

    async def receipt(self, call: Call) -> Response:
        """Answer with the receipt of a batch that has ended, its outcomes counted again."""
        jobs = await self._find(call, call.path("batch"))
        receipts = [await self._parts.receipts.write(job) for job in jobs]
        return await json_response(call.request, receipt_of_batch(receipts))

    async def _find(self, call: Call, batch_id: str) -> Sequence[Job]:
        """Return the jobs of the batch, a job for each engine."""
        jobs: Sequence[Job]
        try:
            jobs = await self._parts.lookup.batch(call.project, job_id_of(batch_id))
        except NotFound:
            jobs = ()
        if not jobs or jobs[0].wire is not Wire.OPENAI:
            raise FileNotFound("batch_id", f"No batch found with id '{batch_id}'.")
        return jobs

    async def _batch(self, jobs: Sequence[Job]) -> Batch:
        unfinished = next((job for job in jobs if not job.is_final), jobs[0])
        return batch_of(jobs, await self._parts.wait_reasons.of(unfinished))

    async def _respond(
        self, call: Call, jobs: Sequence[Job], headers: dict[str, str] | None = None
    ) -> Response:
        return await json_response(call.request, await self._batch(jobs), headers=headers)


async def _rendered(readings: Sequence[Reading], form: OutputForm) -> AsyncIterator[bytes]:
    jobs = [_results(reading.pieces) for reading in readings]
    async for results in merge(jobs, form.place_of):
        lines = [each for result in results for each in form.write(result)]
        yield b"".join(each.line + b"\n" for each in lines)


async def _results(pieces: AsyncIterator[bytes]) -> AsyncIterator[list[bytes]]:
    async for piece in pieces:
        yield piece.splitlines()


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
