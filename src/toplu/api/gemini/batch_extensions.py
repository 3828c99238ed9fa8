"""Calls on batches beyond the Gemini API: see COMPATIBILITY, Extensions."""

from contextlib import AsyncExitStack

from starlette.responses import Response
from starlette.routing import Route

from toplu.api.gemini.followed_results import FOLLOW_QUERY, FollowedResults
from toplu.api.gemini.model_names import ModelNames
from toplu.api.gemini.operations import operation_of
from toplu.api.gemini.receipts import receipt_of
from toplu.api.gemini.state_style import state_style_of
from toplu.api.http.gate import Call, Gate, decode, read_body
from toplu.api.http.idempotency import REPLAYED, key_of
from toplu.api.http.responses import json_response
from toplu.api.http.streaming.pieces import json_lines
from toplu.batch.jobs.retry import JobRetry, Rest
from toplu.batch.lookup import Lookup
from toplu.batch.results.following import Following
from toplu.batch.results.reader import ResultReader
from toplu.batch.results.receipt import Receipts
from toplu.batch.schedule.wait_reason import WaitReasons
from toplu.errors import FailedPrecondition
from toplu.idempotency import AlreadyCreated, Creation
from toplu.job import JobId, Method, Wire
from toplu.settings.server import Settings
from toplu.wire.gemini.batch import RetryBatchRequest

CREATED_BY = {Method.GENERATE: "batchGenerateContent", Method.EMBED: "asyncBatchEmbedContent"}
COUNT_HEADER = "X-Toplu-Result-Count"
COMPLETE_HEADER = "X-Toplu-Complete"


class BatchExtensionsApi:
    """Handlers of the calls of our own on `batches/…`."""

    def __init__(
        self,
        *,
        settings: Settings,
        names: ModelNames,
        lookup: Lookup,
        results: ResultReader,
        following: Following,
        retry: JobRetry,
        receipts: Receipts,
        wait_reasons: WaitReasons,
    ) -> None:
        self._settings = settings
        self._names = names
        self._lookup = lookup
        self._retry = retry
        self._receipts = receipts
        self._wait_reasons = wait_reasons
        self._results = results
        self._followed = FollowedResults(settings=settings, following=following)

    def routes(self, gate: Gate) -> list[Route]:
        batch = "/{version:version}/batches/{batch}"
        return [
            Route(
                f"{batch}:results",
                gate.endpoint(self.results, query=FOLLOW_QUERY),
                methods=["GET"],
            ),
            Route(f"{batch}:retry", gate.endpoint(self.retry), methods=["POST"]),
            Route(f"{batch}:receipt", gate.endpoint(self.receipt), methods=["GET"]),
        ]

    async def results(self, call: Call) -> Response:
        """Answer with the results so far, in input order, or with those behind a place."""
        if self._followed.is_asked(call):
            return await self._followed.answer(call)
        async with AsyncExitStack() as stack:
            reading = await stack.enter_async_context(
                self._results.partial(call.project, JobId(call.path("batch")))
            )
            return json_lines(
                reading.pieces,
                stack.pop_all(),
                headers={
                    COUNT_HEADER: str(reading.count),
                    COMPLETE_HEADER: str(reading.is_complete).lower(),
                },
                stall_seconds_max=self._settings.stream_stall_seconds_max,
            )

    async def retry(self, call: Call) -> Response:
        """Make a batch of the requests that failed or were not reached; the reply is that batch.

        With `merge` it has the results of all others as well.
        """
        style = state_style_of(call, default=self._settings.state_style)
        raw = await read_body(call.request, self._settings.inline_bytes_max)
        body = await decode(RetryBatchRequest, raw)
        job = await self._lookup.find(call.project, JobId(call.path("batch")))
        if job.wire is not Wire.GEMINI:
            raise FailedPrecondition(f"batches/{job.id} is run again by the API that made it.")
        model = self._names.require(job.model, version=call.version, method=CREATED_BY[job.method])
        headers = None
        try:
            retry = await self._retry.create_batch(
                [Rest(job=job, engine=model.name)],
                display_name=body.display_name,
                merge=bool(body.merge),
                key=key_of(call, Creation.BATCH, raw),
            )
        except AlreadyCreated as before:
            retry = await self._lookup.find(call.project, JobId(before.resource))
            headers = REPLAYED
        waiting = await self._wait_reasons.of(retry)
        operation = operation_of(retry, style=style, waiting=waiting)
        return await json_response(call.request, operation, headers=headers)

    async def receipt(self, call: Call) -> Response:
        """Answer with the receipt of a batch that has ended, its outcomes counted again."""
        style = state_style_of(call, default=self._settings.state_style)
        job = await self._lookup.find(call.project, JobId(call.path("batch")))
        receipt = await self._receipts.write(job)
        return await json_response(call.request, receipt_of(receipt, style=style))
