"""A batch as clients of OpenAI's API see it, whether it is one job or one for each engine."""

from collections.abc import Sequence
from datetime import datetime

from toplu import money
from toplu.api.openai.batch.details import details_of
from toplu.batch.results.rendering import RenderedFile
from toplu.batch.results.whole import whole_of
from toplu.batch.schedule.wait_status import WaitStatus
from toplu.job import Job, JobId, JobState
from toplu.wire.openai.batch import Batch, BatchFaults, BatchUsage, RequestCounts
from toplu.wire.openai.chat import CompletionTokensDetails, PromptTokensDetails

PREFIX = "batch_"
STATUSES = {
    JobState.SUCCEEDED: "completed",
    JobState.FAILED: "failed",
    JobState.CANCELLED: "cancelled",
    JobState.EXPIRED: "expired",
}


def batch_of(jobs: Sequence[Job], waiting: WaitStatus | None = None) -> Batch:
    """Return the batch of these jobs; `waiting` is of an unfinished one."""
    job = whole_of(jobs)
    details = details_of(job)
    ended = seconds_of(job.ended)
    state = job.state
    return Batch(
        id=f"{PREFIX}{job.id}",
        object="batch",
        endpoint=details.endpoint,
        model=(job.model or None) if len(jobs) == 1 else None,
        errors=BatchFaults(data=details.faults) if details.faults else None,
        input_file_id=details.input_file_id,
        completion_window=details.completion_window,
        status=_status(job),
        output_file_id=_file_id(job, RenderedFile.OUTPUT) if has_output(job) else None,
        error_file_id=_file_id(job, RenderedFile.ERRORS) if has_errors(job) else None,
        created_at=int(job.created.timestamp()),
        in_progress_at=seconds_of(job.started),
        expires_at=seconds_of(job.expires),
        finalizing_at=ended if state is JobState.SUCCEEDED else None,
        completed_at=ended if state is JobState.SUCCEEDED else None,
        failed_at=ended if state is JobState.FAILED else None,
        expired_at=ended if state is JobState.EXPIRED else None,
        cancelling_at=ended if state is JobState.CANCELLED else None,
        cancelled_at=ended if state is JobState.CANCELLED else None,
        request_counts=_counts(job, sum(details_of(part).lines for part in jobs)),
        usage=_usage(job),
        metadata=details.metadata,
        toplu=_extension(jobs, job, waiting),
    )


def has_output(job: Job) -> bool:
    """Return whether the job has ended with a response to a line."""
    return job.is_final and job.counts.succeeded > 0


def has_errors(job: Job) -> bool:
    """Return whether it has ended with a line that has none."""
    return job.is_final and (job.counts.failed > 0 or job.counts.pending > 0)


def _file_id(job: Job, file: RenderedFile) -> str:
    return f"file-{file}-{job.id}"


def _status(job: Job) -> str:
    if job.is_final:
        return STATUSES[job.state]
    if not job.planned:
        return "validating"
    return "in_progress" if job.counts.pending else "finalizing"


def _counts(job: Job, lines: int) -> RequestCounts:
    counts = job.counts
    if not counts.total or counts.total == lines:
        return RequestCounts(
            total=counts.total or lines, completed=counts.succeeded, failed=counts.failed
        )
    # Lines with several texts: so many lines have been done as texts have.
    return RequestCounts(
        total=lines,
        completed=counts.succeeded * lines // counts.total,
        failed=-(-counts.failed * lines // counts.total),
    )


def _usage(job: Job) -> BatchUsage:
    usage = job.usage
    return BatchUsage(
        input_tokens=usage.prompt_tokens,
        input_tokens_details=PromptTokensDetails(cached_tokens=usage.cached_tokens),
        output_tokens=usage.output_tokens,
        output_tokens_details=CompletionTokensDetails(reasoning_tokens=0),
        total_tokens=usage.total_tokens,
    )


def _extension(jobs: Sequence[Job], job: Job, waiting: WaitStatus | None) -> dict[str, object]:
    cost = sum(part.cost for part in jobs)
    extension: dict[str, object] = {
        "cost": {
            "currency": job.prices.currency,
            "amount": money.as_text(cost),
        },
        "deduplicated": job.counts.deduplicated,
    }
    if job.paused and not job.is_final:
        extension["paused"] = True
    if job.usage.reused_requests:
        extension["reused"] = job.usage.reused_requests
    if job.counts.carried:
        extension["carried"] = job.counts.carried
    if len(jobs) > 1:
        extension["models"] = [part.model for part in jobs]
    if job.retry_of is not None:
        extension["retry_of"] = f"{PREFIX}{job.retry_of}"
    if job.retried_by is not None:
        extension["retried_by"] = f"{PREFIX}{job.retried_by}"
    if job.error is not None:
        extension["error"] = job.error.message
    if waiting is not None:
        extension["waits_because"] = waiting.message
    return extension


def job_id_of(batch_id: str) -> JobId:
    """Return the job of a batch; an id of another form is nobody's."""
    return JobId(batch_id.removeprefix(PREFIX))


def seconds_of(moment: datetime | None) -> int | None:
    """Return the moment in whole seconds since 1970."""
    return None if moment is None else int(moment.timestamp())
