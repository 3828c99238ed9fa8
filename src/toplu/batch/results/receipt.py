"""The receipt of a batch that has ended: proof that each of its requests has one outcome.

Nothing is taken from the counts alone: the outcomes are counted again from the results, and the
receipt says whether they, the counts, the shards and the ledger agree.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from toplu.batch.results.reader import ResultReader
from toplu.batch.results.tally import Tally
from toplu.errors import FailedPrecondition
from toplu.job import Job, Shard
from toplu.money import Usage, total
from toplu.store.rows.jobs import JobRows
from toplu.store.rows.ledger import LedgerRows


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """A job that has ended, and what was found of it."""

    job: Job
    shards: int
    leases: int  # of all its shards; more than shards where work was released or taken over
    succeeded: int
    failed: dict[int, int]  # how many with each google.rpc number, by number
    not_reached: int
    balances: bool


class Receipts:
    """Writes receipts."""

    def __init__(self, *, jobs: JobRows, ledger: LedgerRows, results: ResultReader) -> None:
        self._jobs = jobs
        self._ledger = ledger
        self._results = results

    async def write(self, job: Job) -> Receipt:
        """Return the receipt of the job; FailedPrecondition while it may still change."""
        if not job.is_final:
            raise FailedPrecondition(
                f"batches/{job.batch} is {job.state}: only a batch that has ended has a receipt."
            )
        tally = await self._results.tally(job)
        shards = await self._jobs.shards(job.id)
        leased = [shard for shard in shards if not shard.is_carried]
        charged = await self._ledger.usage_of(job.id)
        failed = sum(tally.failed.values())
        return Receipt(
            job=job,
            shards=len(leased),
            leases=sum(shard.epoch for shard in leased),
            succeeded=tally.succeeded,
            failed=dict(sorted(tally.failed.items())),
            not_reached=max(0, job.counts.total - tally.succeeded - failed),
            balances=_balances(job, tally, shards, charged),
        )


def _balances(job: Job, tally: Tally, shards: Sequence[Shard], charged: Usage | None) -> bool:
    """Return whether results, counts, shards and ledger agree."""
    counts = job.counts
    of_shards = (
        sum(shard.succeeded for shard in shards),
        sum(shard.failed for shard in shards),
        sum(shard.deduplicated for shard in shards),
        total(shard.usage for shard in shards),
    )
    return (
        (tally.succeeded, sum(tally.failed.values())) == (counts.succeeded, counts.failed)
        and of_shards == (counts.succeeded, counts.failed, counts.deduplicated, job.usage)
        # An output has no tokens; while there is a log, it is the truth about them.
        and tally.tokens in (None, (job.usage, counts.deduplicated))
        and counts.pending >= 0
        and charged == job.usage
    )
