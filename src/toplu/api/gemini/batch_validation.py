"""The create calls with `validateOnly`, at a worker's door: a dry run, for which a model counts."""

from collections.abc import Coroutine
from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from toplu import money
from toplu.api.gemini.model_names import ModelNames
from toplu.api.gemini.validate_only import VALIDATE_QUERY, AnyBody, batch_of
from toplu.api.http.disconnects import while_connected
from toplu.api.http.gate import Call, Gate, decode, read_body
from toplu.api.http.responses import json_response
from toplu.batch.dry_run.dry_run import DryRun
from toplu.batch.dry_run.findings import LineFault
from toplu.batch.dry_run.report import Report
from toplu.batch.dry_run.token_sample import Asked
from toplu.clock import timestamp
from toplu.errors import Code
from toplu.job import JobId
from toplu.settings.server import ModelSettings, Settings
from toplu.wire.gemini.batch import BatchGenerateContentRequest, Cost, ExpectedFinish
from toplu.wire.gemini.batch_validation import (
    BatchValidation,
    ExpectedCost,
    FaultyLine,
    KeptInput,
    LineError,
    SharedPrefixes,
    TokenEstimate,
    TokenRange,
)
from toplu.wire.gemini.embedding import AsyncBatchEmbedContentRequest
from toplu.wire.gemini.misplaced import lift_misplaced
from toplu.wire.gemini.proto_json import Mend

SHARE_DIGITS = 4


class BatchValidationApi:
    """Handlers of dry runs."""

    def __init__(self, *, settings: Settings, names: ModelNames, dry_run: DryRun) -> None:
        self._settings = settings
        self._names = names
        self._dry_run = dry_run

    def routes(self, gate: Gate) -> list[Route]:
        path = "/{version:version}/models/{model}:"
        return [
            Route(
                f"{path}batchGenerateContent",
                gate.endpoint(self.of_answers, query=VALIDATE_QUERY),
                methods=["POST"],
            ),
            Route(
                f"{path}asyncBatchEmbedContent",
                gate.endpoint(self.of_embeddings, query=VALIDATE_QUERY),
                methods=["POST"],
            ),
            Route(
                "/{version:version}/dryRuns", gate.endpoint(self.of_kept_input), methods=["POST"]
            ),
        ]

    async def of_answers(self, call: Call) -> Response:
        """Say what a batch of answers would be."""
        return await self._validate(
            call, "batchGenerateContent", BatchGenerateContentRequest, mend=lift_misplaced
        )

    async def of_embeddings(self, call: Call) -> Response:
        """Say what a batch of embeddings would be."""
        return await self._validate(call, "asyncBatchEmbedContent", AsyncBatchEmbedContentRequest)

    async def of_kept_input(self, call: Call) -> Response:
        """Say what a batch would be whose input the front door has kept, in the core's form."""
        kept = await call.read(KeptInput, self._settings.inline_bytes_max)
        model = self._names.require(kept.model, version=call.version, method=None)
        asked = Asked(id=JobId(kept.job), project=call.project, name=kept.model, model=model)
        return await self._respond(call, self._dry_run.run_kept(asked), kept.model, model)

    async def _validate(
        self, call: Call, method: str, body_type: type[AnyBody], mend: Mend | None = None
    ) -> Response:
        name = call.path("model")
        model = self._names.require(name, version=call.version, method=method)
        raw = await read_body(call.request, self._settings.inline_bytes_max)
        body = await decode(body_type, raw, mend)
        run = self._dry_run.run(
            project=call.project, model=name, engine=model, batch=batch_of(body)
        )
        return await self._respond(call, run, name, model)

    async def _respond(
        self, call: Call, run: Coroutine[Any, Any, Report], name: str, model: ModelSettings
    ) -> Response:
        report = await while_connected(call.request, run)
        currency = self._settings.currency
        validation = validation_of(report, name=name, engine=model.name, currency=currency)
        return await json_response(call.request, validation)


def validation_of(report: Report, *, name: str, engine: str, currency: str) -> BatchValidation:
    """Return the report as its client sees it."""

    def cost(units: float) -> Cost:
        return Cost(currency=currency, amount=money.as_text(int(units)))

    prompts, output = report.prompt_tokens, report.output_tokens
    finish = report.finish
    return BatchValidation(
        model=f"models/{name}",
        answered_by=engine,
        request_count=str(report.total),
        faulty_request_count=str(report.faulty),
        faulty_lines=[_line_of(fault) for fault in report.faults] or None,
        duplicate_request_count=str(report.duplicates),
        prompt_tokens=TokenEstimate(
            token_count=str(round(prompts.total)),
            lowest=str(max(0, round(prompts.total - prompts.error))),
            highest=str(round(prompts.total + prompts.error)),
            counted_request_count=str(prompts.counted),
            exact=report.is_exact,
        ),
        output_tokens=TokenRange(lowest=str(round(output.low)), highest=str(round(output.high))),
        shared_prefixes=SharedPrefixes(
            prompt_share=round(report.shared_share, SHARE_DIGITS), savings=cost(report.saved)
        ),
        expected_cost=ExpectedCost(
            prompts=cost(report.prompt_cost),
            lowest=cost(report.cost.low),
            highest=cost(report.cost.high),
        ),
        expected_finish=None
        if finish is None
        else ExpectedFinish(earliest=timestamp(finish[0]), latest=timestamp(finish[1])),
        target_time=timestamp(report.target),
        warnings=report.warnings or None,
    )


def _line_of(fault: LineFault) -> FaultyLine:
    return FaultyLine(
        line_number=fault.number,
        key=fault.key,
        metadata=fault.metadata,
        error=LineError(code=fault.code, message=fault.message, status=Code(fault.code).name),
    )
