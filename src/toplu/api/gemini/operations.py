"""A job as its client sees it: the Operation that one body must make right for everybody.

The SDKs read `metadata.output`, REST clients read `response`; the results stand in both.
"""

from typing import Literal

import msgspec

from toplu import money
from toplu.api.gemini.inline_results import RESULTS
from toplu.batch.schedule.wait_status import WaitStatus
from toplu.clock import timestamp
from toplu.job import InputForm, Job, JobId, JobState, Method
from toplu.wire.gemini.batch import (
    TYPE_PREFIX,
    BatchExtension,
    BatchMetadata,
    BatchOutput,
    BatchStats,
    BatchWaiting,
    Cost,
    ExpectedFinish,
    InlinedResponses,
    InputConfig,
    Lanes,
    Operation,
    OperationError,
    TokenTotals,
)

StateStyle = Literal["job", "batch"]

BATCH_TYPES = {Method.GENERATE: "GenerateContentBatch", Method.EMBED: "EmbedContentBatch"}


def operation_of(
    job: Job,
    *,
    style: StateStyle,
    with_results: bool = False,
    waiting: WaitStatus | None = None,
) -> Operation:
    """Return the job's Operation.

    `with_results`: it has marks for those of an inline job; `waiting` is of an unfinished one.
    """
    type_url = f"{TYPE_PREFIX}{BATCH_TYPES[job.method]}"
    output = _output_of(job, with_results=with_results)
    response = None
    if output is not None:
        response = msgspec.structs.replace(output, type_url=f"{type_url}Output")
    error = None
    if job.error is not None:
        error = OperationError(code=job.error.code, message=job.error.message)
    resource = resource_of(job, style=style, with_results=with_results, waiting=waiting)
    return Operation(
        name=resource.name,
        metadata=msgspec.structs.replace(resource, type_url=type_url),
        done=job.is_final,
        response=response,
        error=error,
    )


def resource_of(
    job: Job,
    *,
    style: StateStyle,
    with_results: bool = False,
    waiting: WaitStatus | None = None,
) -> BatchMetadata:
    """Return the batch itself, as it stands inside its Operation and as an update returns it."""
    return BatchMetadata(
        name=f"batches/{job.id}",
        model=f"models/{job.model}",
        display_name=job.display_name,
        input_config=InputConfig(file_name=f"files/{job.input_file}")
        if job.input_file is not None
        else None,
        output=_output_for_sdks(job, _output_of(job, with_results=with_results)),
        create_time=timestamp(job.created),
        update_time=timestamp(job.updated),
        end_time=timestamp(job.ended) if job.ended is not None else None,
        batch_stats=_stats_of(job) if job.counts.total else None,
        state=state_of(job, style),
        priority=str(job.priority) if job.priority else None,
        paused=True if job.paused and not job.is_final else None,
        toplu=_extension_of(job, waiting),
    )


def state_of(job: Job, style: StateStyle) -> str:
    """Return the state as the client wants it spelled; one style has a word for a pause."""
    if job.paused and not job.is_final:
        return "JOB_STATE_PAUSED" if style == "job" else "BATCH_STATE_PENDING"
    return f"{style.upper()}_STATE_{job.state}"


def _output_of(job: Job, *, with_results: bool) -> BatchOutput | None:
    if job.state is not JobState.SUCCEEDED:
        return None
    if job.output_file is not None:
        return BatchOutput(responses_file=f"files/{job.output_file}")
    if not with_results:
        return None
    return BatchOutput(inlined_responses=InlinedResponses(inlined_responses=RESULTS))


def _output_for_sdks(job: Job, output: BatchOutput | None) -> BatchOutput | None:
    """Return the output where the SDKs find it.

    They take results for embeddings if one of them has an embedding. If every request failed
    none has, and only the other name of the list says what it is of.
    """
    if output is None or job.method is not Method.EMBED or job.counts.succeeded:
        return output
    return msgspec.structs.replace(
        output,
        inlined_responses=None,
        inlined_embed_content_responses=output.inlined_responses,
    )


def _stats_of(job: Job) -> BatchStats | None:
    """Return the counts, once it is known how many requests there are."""
    counts = job.counts
    if not counts.total or not (job.planned or job.input_form is InputForm.INLINE):
        return None

    def written(count: int) -> str | None:
        return str(count) if count else None

    return BatchStats(
        request_count=written(counts.total),
        successful_request_count=written(counts.succeeded),
        failed_request_count=written(counts.failed),
        pending_request_count=written(counts.pending),
    )


def _extension_of(job: Job, waiting: WaitStatus | None) -> BatchExtension:
    """Return what the batch used so far, and all in all once it is final."""
    return BatchExtension(
        usage=usage_of(job),
        cost=cost_of(job),
        deduplicated_request_count=str(job.counts.deduplicated)
        if job.counts.deduplicated
        else None,
        reused_request_count=str(job.usage.reused_requests) if job.usage.reused_requests else None,
        carried_request_count=str(job.counts.carried) if job.counts.carried else None,
        retry_of=name_of(job.retry_of),
        retried_by=name_of(job.retried_by),
        waiting=None if waiting is None else _waiting_of(waiting),
        expected_finish=None if waiting is None else _finish_of(waiting),
        warnings=None if waiting is None else list(waiting.warnings) or None,
    )


def _waiting_of(waiting: WaitStatus) -> BatchWaiting:
    return BatchWaiting(
        reason=waiting.reason,
        message=waiting.message,
        position=waiting.position,
        tokens_ahead=str(waiting.tokens_ahead),
        lanes=Lanes(busy=waiting.lanes, total=waiting.lanes_of_engine),
    )


def _finish_of(waiting: WaitStatus) -> ExpectedFinish | None:
    if waiting.finish is None:
        return None
    earliest, latest = waiting.finish
    return ExpectedFinish(earliest=timestamp(earliest), latest=timestamp(latest))


def usage_of(job: Job) -> TokenTotals:
    """Return the tokens that were used for the batch."""
    return TokenTotals(
        prompt_token_count=str(job.usage.prompt_tokens),
        cached_content_token_count=str(job.usage.cached_tokens),
        output_token_count=str(job.usage.output_tokens),
    )


def cost_of(job: Job) -> Cost:
    """Return what the batch cost, at the prices of its creation."""
    return Cost(
        currency=job.prices.currency,
        amount=money.as_text(job.cost),
    )


def name_of(job: JobId | None) -> str | None:
    """Return the resource name of a batch that may not be."""
    return None if job is None else f"batches/{job}"
