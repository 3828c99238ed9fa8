"""Batches: create, poll, list, update, cancel, delete.

The specification's curl lines for `:cancel` and `:delete` are GET requests, so both are
served for GET as well as for POST.
"""

from starlette.responses import Response
from starlette.routing import Route

from toplu.api.gemini.forwarded_calls import ForwardedCalls
from toplu.api.gemini.inline_results import joined, split_at_results
from toplu.api.gemini.model_names import ModelNames
from toplu.api.gemini.operations import StateStyle, operation_of, resource_of
from toplu.api.gemini.state_style import state_style_of
from toplu.api.gemini.update_mask import UPDATE_QUERY, masked
from toplu.api.gemini.validate_only import VALIDATE_QUERY, batch_of, validates_only
from toplu.api.http.gate import Call, Endpoint, Gate, decode, read_body
from toplu.api.http.idempotency import REPLAYED, key_of
from toplu.api.http.paging import PAGE_QUERY, page_size, page_token
from toplu.api.http.responses import json_response
from toplu.api.http.streaming.pieces import json_pieces
from toplu.batch.jobs.cancel import JobCancellation
from toplu.batch.jobs.create import JobCreation
from toplu.batch.jobs.update import WRITABLE, JobUpdate
from toplu.batch.lookup import Lookup
from toplu.batch.reuse.asked import reuse_asked
from toplu.batch.schedule.wait_reason import WaitReasons
from toplu.errors import Unimplemented
from toplu.idempotency import AlreadyCreated, Creation
from toplu.job import InputForm, Job, JobId, JobState
from toplu.settings.server import Settings
from toplu.wire.gemini.batch import (
    BatchGenerateContentRequest,
    GenerateContentBatch,
    ListOperationsResponse,
)
from toplu.wire.gemini.embedding import AsyncBatchEmbedContentRequest, EmbedContentBatch
from toplu.wire.gemini.misplaced import lift_misplaced
from toplu.wire.gemini.proto_json import Mend

PAGE_SIZE = 50
PAGE_SIZE_MAX = 100


class BatchesApi:
    """Handlers of `batches/…`."""

    def __init__(
        self,
        *,
        settings: Settings,
        names: ModelNames,
        calls: ForwardedCalls,
        creation: JobCreation,
        lookup: Lookup,
        cancellation: JobCancellation,
        update: JobUpdate,
        wait_reasons: WaitReasons,
    ) -> None:
        self._settings = settings
        self._names = names
        self._calls = calls
        self._creation = creation
        self._lookup = lookup
        self._cancellation = cancellation
        self._update_job = update
        self._wait_reasons = wait_reasons

    def routes(self, gate: Gate) -> list[Route]:
        cancel, delete = gate.endpoint(self.cancel), gate.endpoint(self.delete)
        listing = PAGE_QUERY | {"filter", "returnPartialSuccess"}
        return [
            Route(
                "/{version:version}/models/{model}:batchGenerateContent",
                gate.endpoint(self.create, query=VALIDATE_QUERY),
                methods=["POST"],
            ),
            Route(
                "/{version:version}/models/{model}:asyncBatchEmbedContent",
                gate.endpoint(self.create_of_embeddings, query=VALIDATE_QUERY),
                methods=["POST"],
            ),
            Route(
                "/{version:version}/batches/{batch}:updateGenerateContentBatch",
                gate.endpoint(self.update, query=UPDATE_QUERY),
                methods=["PATCH"],
            ),
            Route(
                "/{version:version}/batches/{batch}:updateEmbedContentBatch",
                gate.endpoint(self.update_of_embeddings, query=UPDATE_QUERY),
                methods=["PATCH"],
            ),
            _verb("/{version:version}/batches/{batch}:cancel", cancel),
            _verb("/{version:version}/batches/{batch}:delete", delete),
            *self._pauses(gate),
            Route(
                "/{version:version}/batches",
                gate.endpoint(self.list, query=listing),
                methods=["GET"],
            ),
            Route("/{version:version}/batches/{batch}", gate.endpoint(self.find), methods=["GET"]),
            Route("/{version:version}/batches/{batch}", delete, methods=["DELETE"]),
        ]

    def _pauses(self, gate: Gate) -> list[Route]:
        batch = "/{version:version}/batches/{batch}"
        return [
            Route(f"{batch}:pause", gate.endpoint(self.pause), methods=["POST"]),
            Route(f"{batch}:resume", gate.endpoint(self.resume), methods=["POST"]),
        ]

    async def create(self, call: Call) -> Response:
        """Make a batch of answers; 200 only when the job and its input are durable."""
        return await self._create(
            call, "batchGenerateContent", BatchGenerateContentRequest, mend=lift_misplaced
        )

    async def create_of_embeddings(self, call: Call) -> Response:
        """Make a batch whose requests ask for vectors."""
        return await self._create(call, "asyncBatchEmbedContent", AsyncBatchEmbedContentRequest)

    async def _create(
        self,
        call: Call,
        method: str,
        body_type: type[BatchGenerateContentRequest] | type[AsyncBatchEmbedContentRequest],
        mend: Mend | None = None,
    ) -> Response:
        if validates_only(call.request):
            return await self._calls.forward(method, call)
        name = call.path("model")
        model = self._names.require(name, version=call.version, method=method)
        style = state_style_of(call, default=self._settings.state_style)
        reuse = reuse_asked(call.request.headers)
        raw = await read_body(call.request, self._settings.inline_bytes_max)
        body = await decode(body_type, raw, mend)
        batch = batch_of(body)
        key = key_of(call, Creation.BATCH, raw)
        try:
            job = await self._creation.create(
                project=call.project,
                model=name,
                engine=model.name,
                batch=batch,
                reuse=reuse,
                key=key,
            )
        except AlreadyCreated as before:
            job = await self._lookup.find(call.project, JobId(before.resource))
            return await self._operation(call, job, style, headers=REPLAYED)
        return await self._operation(call, job, style)

    async def find(self, call: Call) -> Response:
        """Answer with the batch as it stands, results included."""
        style = state_style_of(call, default=self._settings.state_style)
        job = await self._lookup.find(call.project, JobId(call.path("batch")))
        return await self._operation(call, job, style)

    async def list(self, call: Call) -> Response:
        """Answer with a page of batches, newest first; inline results are left out."""
        style = state_style_of(call, default=self._settings.state_style)
        if call.request.query_params.get("filter"):
            raise Unimplemented("filter is not served by this server yet.")
        jobs, next_token = await self._lookup.page(
            call.project,
            size=page_size(call, default=PAGE_SIZE, largest=PAGE_SIZE_MAX),
            token=page_token(call),
        )
        page = ListOperationsResponse(
            operations=[
                operation_of(job, style=style, waiting=await self._wait_reasons.of(job))
                for job in jobs
            ]
            or None,
            next_page_token=next_token,
        )
        return await json_response(call.request, page)

    async def update(self, call: Call) -> Response:
        """Change the name or the priority of a batch of answers; the reply is the batch."""
        return await self._update(call, GenerateContentBatch)

    async def update_of_embeddings(self, call: Call) -> Response:
        """Change the name or the priority of a batch of embeddings."""
        return await self._update(call, EmbedContentBatch)

    async def _update(
        self, call: Call, body_type: type[GenerateContentBatch] | type[EmbedContentBatch]
    ) -> Response:
        style = state_style_of(call, default=self._settings.state_style)
        body = await call.read(body_type, self._settings.inline_bytes_max)
        job = await self._update_job.update(
            call.project,
            JobId(call.path("batch")),
            body,
            masked(call.request.query_params, body, WRITABLE),
        )
        return await json_response(call.request, resource_of(job, style=style))

    async def pause(self, call: Call) -> Response:
        """Begin nothing more of the batch; the reply is the batch."""
        return await self._pause(call, paused=True)

    async def resume(self, call: Call) -> Response:
        """Go on with the batch; the reply is the batch."""
        return await self._pause(call, paused=False)

    async def _pause(self, call: Call, *, paused: bool) -> Response:
        style = state_style_of(call, default=self._settings.state_style)
        batch = JobId(call.path("batch"))
        job = await self._update_job.pause(call.project, batch, paused=paused)
        return await self._operation(call, job, style)

    async def cancel(self, call: Call) -> Response:
        """Stop the batch; the state is CANCELLED when this answers, unless it was final."""
        await self._cancellation.cancel(call.project, JobId(call.path("batch")))
        return await json_response(call.request, {})

    async def delete(self, call: Call) -> Response:
        """Stop the batch and forget it."""
        await self._cancellation.delete(call.project, JobId(call.path("batch")))
        return await json_response(call.request, {})

    async def _operation(
        self, call: Call, job: Job, style: StateStyle, headers: dict[str, str] | None = None
    ) -> Response:
        if job.state is JobState.SUCCEEDED and job.input_form is InputForm.INLINE:
            return await self._with_results(call, job, style, headers)
        waiting = await self._wait_reasons.of(job)
        operation = operation_of(job, style=style, waiting=waiting)
        return await json_response(call.request, operation, headers=headers)

    async def _with_results(
        self, call: Call, job: Job, style: StateStyle, headers: dict[str, str] | None
    ) -> Response:
        await self._lookup.note_reading(job)
        written = split_at_results(operation_of(job, style=style, with_results=True))
        outputs = [await self._lookup.output(job) for _ in written[1:]]
        return json_pieces(
            call.request,
            joined(written, outputs),
            headers=headers,
            stall_seconds_max=self._settings.stream_stall_seconds_max,
        )


def _verb(path: str, endpoint: Endpoint) -> Route:
    """Return the route of an action that GET does as well; a HEAD must not."""
    route = Route(path, endpoint, methods=["GET", "POST"])
    assert route.methods is not None, "just given"
    route.methods.discard("HEAD")  # the router adds it to every GET
    return route
