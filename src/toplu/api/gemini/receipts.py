"""A receipt as its client sees it."""

import msgspec

from toplu.api.gemini.operations import StateStyle, cost_of, name_of, state_of, usage_of
from toplu.batch.results.receipt import Receipt
from toplu.clock import timestamp
from toplu.errors import Code
from toplu.wire.gemini.batch import Attempts, BatchReceipt, InputOrigin, Outcomes, Reproducibility

CODES = {int(code): code.name for code in Code}


def receipt_of(receipt: Receipt, *, style: StateStyle) -> BatchReceipt:
    """Return the message; counts are written although they are zero."""
    job = receipt.job
    return BatchReceipt(
        name=f"batches/{job.id}",
        display_name=job.display_name,
        state=state_of(job, style),
        model=f"models/{job.model}",
        answered_by=job.engine,
        create_time=timestamp(job.created),
        end_time=None if job.ended is None else timestamp(job.ended),
        input_sha256=job.input_sha256,
        output_sha256=job.output_sha256,
        input_origin=None
        if job.input_origin is None
        else msgspec.json.decode(job.input_origin, type=InputOrigin),
        request_count=str(job.counts.total),
        outcomes=Outcomes(
            succeeded=str(receipt.succeeded),
            failed={
                CODES.get(code, str(code)): str(count) for code, count in receipt.failed.items()
            },
            not_reached=str(receipt.not_reached),
        ),
        attempts=Attempts(shard_count=str(receipt.shards), lease_count=str(receipt.leases)),
        usage=usage_of(job),
        deduplicated_request_count=str(job.counts.deduplicated),
        reused_request_count=str(job.usage.reused_requests),
        reused_token_count=str(job.usage.reused_tokens),
        carried_request_count=str(job.counts.carried),
        cost=cost_of(job),
        retry_of=name_of(job.retry_of),
        retried_by=name_of(job.retried_by),
        reproducibility=None
        if job.computed_by is None
        else msgspec.json.decode(job.computed_by, type=list[Reproducibility]),
        balances=receipt.balances,
    )
