"""The receipt of a batch: that of its job, or the sum of those of its jobs, with each of them."""

from collections import Counter
from collections.abc import Sequence

import msgspec

from toplu import money
from toplu.api.gemini.receipts import receipt_of
from toplu.batch.results.receipt import Receipt
from toplu.batch.results.whole import whole_of
from toplu.wire.gemini.batch import BatchReceipt, Cost


def receipt_of_batch(receipts: Sequence[Receipt]) -> BatchReceipt:
    """Return the receipt of the batch whose jobs these are of."""
    each = [receipt_of(receipt, style="batch") for receipt in receipts]
    if len(each) == 1:
        return each[0]
    jobs = [receipt.job for receipt in receipts]
    failed: Counter[int] = Counter()
    for receipt in receipts:
        failed.update(receipt.failed)
    whole = Receipt(
        job=whole_of(jobs),
        shards=sum(receipt.shards for receipt in receipts),
        leases=sum(receipt.leases for receipt in receipts),
        succeeded=sum(receipt.succeeded for receipt in receipts),
        failed=dict(sorted(failed.items())),
        not_reached=sum(receipt.not_reached for receipt in receipts),
        balances=all(receipt.balances for receipt in receipts),
    )
    cost = sum(job.cost for job in jobs)
    written = receipt_of(whole, style="batch")
    return msgspec.structs.replace(
        written,
        model=", ".join(part.model for part in each),
        answered_by=", ".join(part.answered_by for part in each),
        input_sha256=None,
        output_sha256=None,
        reproducibility=None,
        cost=Cost(currency=jobs[0].prices.currency, amount=money.as_text(cost)),
        parts=[msgspec.structs.replace(part, name=written.name) for part in each],
    )
