"""Dry runs: the file is translated as for a batch, and each part said to be what it would be.

    file ──▶ translator ──▶ an input for each engine ──▶ a worker that has it ──▶ one answer of all

No batch is made, and nothing is kept.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

import msgspec
from starlette.requests import Request

from toplu.api.doors.asked import ask
from toplu.api.doors.forwarded_call import Doors
from toplu.api.http.gate import Call, is_asked
from toplu.api.openai.batch.details import BatchDetails, decode_details
from toplu.api.openai.batch.input import InputTranslator, form_in
from toplu.api.openai.translation.errors import Failure, failure_of_request
from toplu.batch.jobs.translated import TranslatedFile, TranslatedInputs, TranslatedPart
from toplu.errors import RequestError
from toplu.wire.gemini import batch_validation as core
from toplu.wire.gemini import message
from toplu.wire.openai.batch import BatchFaults
from toplu.wire.openai.batch_validation import (
    BatchValidation,
    ExpectedCost,
    ExpectedFinish,
    FaultyLine,
    ModelValidation,
    TokenEstimate,
    TokenRange,
    ValidationCounts,
)
from toplu.wire.openai.message import InvalidParameter

QUERY = "validate_only"
PATH = "/v1beta/dryRuns"  # at a worker's door

_decoder = msgspec.json.Decoder(core.BatchValidation)


def validates_only(request: Request) -> bool:
    """Return whether the batch is not to be made; InvalidParameter: the parameter is no boolean."""
    return is_asked(request, (QUERY,), _refusal)


class OpenaiDryRun:
    """Makes dry runs of uploaded files."""

    def __init__(self, *, inputs: TranslatedInputs, doors: Doors) -> None:
        self._inputs = inputs
        self._doors = doors

    async def run(self, call: Call, file: str, translator: InputTranslator) -> BatchValidation:
        """Return what the batch of the file would be."""
        async with self._inputs.translate(call.project, file, translator) as translated:
            parts = translated.outcome.parts
            details = decode_details(parts[0].details)
            if translated.outcome.refusal is not None:
                return _refused(details)
            found = [await self._ask(call, translated, part) for part in parts]
        return _whole(details, found)

    async def _ask(
        self, call: Call, translated: TranslatedFile, part: TranslatedPart
    ) -> core.BatchValidation:
        async with translated.kept(part) as kept:
            order = message.write(core.KeptInput(job=kept, model=part.model))
            doors = await self._doors.of(part.engine, order)
            return _decoder.decode(
                await ask(doors, call.project, PATH, order, call.request.receive)
            )


def _refusal(value: str) -> InvalidParameter:
    return InvalidParameter(
        QUERY, f"Invalid value for '{QUERY}': '{value}'; it must be true or false."
    )


def _refused(details: BatchDetails) -> BatchValidation:
    return BatchValidation(
        endpoint=details.endpoint,
        input_file_id=details.input_file_id,
        errors=BatchFaults(data=details.faults),
        request_counts=ValidationCounts(total=details.lines, faulty=0, duplicate=0),
        faulty_lines=[],
        expected_cost=None,
        models=[],
    )


def _whole(details: BatchDetails, found: Sequence[core.BatchValidation]) -> BatchValidation:
    models = [_model_of(each) for each in found]
    counts = [model.request_counts for model in models]
    faulty = [_line_of(fault) for each in found for fault in each.faulty_lines or ()]
    return BatchValidation(
        endpoint=details.endpoint,
        input_file_id=details.input_file_id,
        errors=None,
        request_counts=ValidationCounts(
            total=sum(each.total for each in counts),
            faulty=sum(each.faulty for each in counts),
            duplicate=sum(each.duplicate for each in counts),
        ),
        faulty_lines=sorted(faulty, key=lambda fault: fault.line),
        expected_cost=_sum_of([model.expected_cost for model in models]),
        models=models,
    )


def _model_of(found: core.BatchValidation) -> ModelValidation:
    prompts, output, finish = found.prompt_tokens, found.output_tokens, found.expected_finish
    cost, shared = found.expected_cost, found.shared_prefixes
    return ModelValidation(
        model=found.model.removeprefix("models/"),
        answered_by=found.answered_by,
        request_counts=ValidationCounts(
            total=int(found.request_count),
            faulty=int(found.faulty_request_count),
            duplicate=int(found.duplicate_request_count),
        ),
        input_tokens=TokenEstimate(
            token_count=int(prompts.token_count),
            lowest=int(prompts.lowest),
            highest=int(prompts.highest),
            counted_requests=int(prompts.counted_request_count),
            exact=prompts.exact,
        ),
        output_tokens=TokenRange(lowest=int(output.lowest), highest=int(output.highest)),
        shared_prompt_share=shared.prompt_share,
        expected_cost=ExpectedCost(
            currency=cost.prompts.currency,
            prompts=cost.prompts.amount,
            lowest=cost.lowest.amount,
            highest=cost.highest.amount,
            saved=shared.savings.amount,
        ),
        expected_finish=None
        if finish is None
        else ExpectedFinish(earliest=_seconds(finish.earliest), latest=_seconds(finish.latest)),
        warnings=found.warnings or [],
    )


def _line_of(fault: core.FaultyLine) -> FaultyLine:
    """Return the fault in the place and words of the client's own line."""
    kept = form_in(fault.metadata or {})
    if kept.error is not None:
        failure = Failure(kept.status, kept.error)
    else:
        text = fault.error.message.removeprefix(f"Error on line {fault.line_number}: ")
        failure = failure_of_request(RequestError(fault.error.code, text))
    return FaultyLine(
        line=kept.line,
        custom_id=fault.key,
        status_code=failure.status,
        error=failure.body.error,
    )


def _sum_of(costs: Sequence[ExpectedCost]) -> ExpectedCost:
    def total(name: str) -> str:
        return f"{sum(Decimal(getattr(cost, name)) for cost in costs):f}"

    return ExpectedCost(
        currency=costs[0].currency,
        prompts=total("prompts"),
        lowest=total("lowest"),
        highest=total("highest"),
        saved=total("saved"),
    )


def _seconds(moment: str) -> int:
    return int(datetime.fromisoformat(moment).timestamp())
