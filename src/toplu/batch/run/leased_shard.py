"""One leased shard while it is being worked on: what is left, what is running, what is durable."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from typing import Any

import msgspec
import structlog

from toplu.batch.plan import order
from toplu.batch.plan.order import RequestLine
from toplu.batch.run.label_usage import sums_by_label
from toplu.batch.run.leader_first import LeaderFirstSpan
from toplu.batch.run.span import Span
from toplu.job import Lease, Shard
from toplu.labels import LabelSums
from toplu.money import Usage, total
from toplu.settings.server import Settings
from toplu.store.blobs.blobs import Blobs
from toplu.store.blobs.records import Entry, Record
from toplu.store.blobs.result_log import Addition, ResultLog, Segment
from toplu.store.blobs.results import Results
from toplu.store.rows.jobs import Progress
from toplu.tracing.spans import NOTHING, TracedSpan

log = structlog.get_logger()

NO_BOUND = 2**32


class LeasedShard:
    """The state of a shard between its lease and its last durable result."""

    def __init__(
        self,
        lease: Lease,
        lines: Sequence[RequestLine],
        *,
        sealed: tuple[Segment, ...],
        failed: int,
        deduplicated: int,
        usage: Usage,
        labels: LabelSums,
        share_cache: bool,
    ) -> None:
        self.lease = lease
        span = LeaderFirstSpan(lines) if share_cache else Span(lines)
        self.spans = [span]  # what is left to start, of each lane that helps
        self._running: set[asyncio.Task[Any]] = set()
        self._sealed = sealed  # segments of earlier epochs, up to where they are valid
        self._committed_bytes = 0  # of this epoch's own segment
        self.failed = failed  # durable outcomes, those of earlier epochs included
        self.succeeded = lease.shard.count - len(lines) - failed
        self.deduplicated = deduplicated  # of the succeeded
        self.usage = usage  # of the durable outcomes
        self.labels = labels  # the same by the labels of their requests
        self.uncounted_cost = 0  # of its outcomes that the database does not have
        self.traced: TracedSpan = NOTHING  # of the trace of its job
        self.stopped = False
        self.dropped = False
        self._left = 0  # requests that were not started when it was released
        self._settled: Callable[[], None] | None = None

    @classmethod
    async def open(
        cls,
        lease: Lease,
        *,
        blobs: Blobs,
        results: Results,
        settings: Settings,
        share_cache: bool = False,
    ) -> "LeasedShard":
        """Read the shard's lines and what earlier holders of it have finished.

        This is the whole of crash recovery: a result that is in the log, whether or not the
        database had heard of it, is not computed again.
        """
        sealed: tuple[Segment, ...] = ()
        finished: dict[int, Entry] = {}
        if lease.shard.epoch > 1:
            shard = lease.shard
            async with results.earlier(shard.job, shard.number, shard.epoch) as log:
                sealed, finished = await asyncio.to_thread(_read_finished, shard, log)
        lines = await order.read_shard(blobs, lease.shard, settings.line_bytes_max)
        labels = LabelSums()
        if finished:
            labels = await asyncio.to_thread(sums_by_label, lease.job.method, lines, finished)
        return cls(
            lease,
            _unfinished(lines, finished),
            sealed=sealed,
            failed=sum(not entry.succeeded for entry in finished.values()),
            deduplicated=sum(entry.is_copy for entry in finished.values()),
            usage=total(entry.usage for entry in finished.values()),
            labels=labels,
            share_cache=share_cache,
        )

    @property
    def has_earlier_results(self) -> bool:
        """Whether earlier holders of the shard left results, which may not be counted yet."""
        return bool(self._sealed)

    def divide(self, answer_bytes: float) -> Span | None:
        """Return the rest of the longest span, for an idle lane; None if it gains nothing.

        `answer_bytes` is what an answer costs, in bytes of a prompt that is read.
        """
        rest = max(self.spans, key=len).divide(answer_bytes)
        if rest is not None:
            self.spans.append(rest)
        return rest

    @property
    def unstarted(self) -> int:
        """The number of requests that are still to be started."""
        return sum(len(span) for span in self.spans)

    def started(self, task: asyncio.Task[Any]) -> None:
        """Remember the task that answers a request, until it `ended`: `stop` cancels it."""
        self._running.add(task)

    def ended(self, task: asyncio.Task[Any]) -> None:
        """Let the task do something else."""
        self._running.discard(task)

    def addition(self, records: Sequence[Record]) -> Addition:
        """Return what is to be made durable."""
        shard = self.lease.shard
        return Addition(
            job=shard.job,
            shard=shard.number,
            epoch=shard.epoch,
            at=self._committed_bytes,
            records=records,
        )

    def added(self, records: Sequence[Record], committed_bytes: int) -> None:
        """Take note that outcomes are durable, and where they end."""
        self._committed_bytes = committed_bytes
        succeeded = sum(record.succeeded for record in records)
        self.succeeded += succeeded
        self.failed += len(records) - succeeded
        self.deduplicated += sum(record.is_copy for record in records)
        self.usage += total(record.usage for record in records)
        for record in records:
            self.labels.count(record.labels, record.usage)

    def progress(self) -> Progress:
        """Return what is durable, for the database to follow."""
        shard = self.lease.shard
        own = Segment(
            job=shard.job,
            shard=shard.number,
            epoch=shard.epoch,
            committed_bytes=self._committed_bytes,
        )
        return Progress(
            lease=self.lease,
            segments=(*self._sealed, own) if self._committed_bytes else self._sealed,
            succeeded=self.succeeded,
            failed=self.failed,
            deduplicated=self.deduplicated,
            usage=self.usage,
            labels=self.labels.encode() if self.labels else None,
        )

    @property
    def is_done(self) -> bool:
        """Whether every request has a durable outcome."""
        return self.succeeded + self.failed == self.lease.shard.count

    def release(self, settled: Callable[[], None]) -> None:
        """Start nothing more, for others have their turn; what runs is finished.

        `settled` is called when all of that is durable.
        """
        if self._settled is not None:
            return
        self._left = self.unstarted
        self._settled = settled
        for span in self.spans:
            span.clear()

    @property
    def is_settled(self) -> bool:
        """Whether it was released, and every request that was started has a durable outcome."""
        outcomes = self.succeeded + self.failed
        return self._settled is not None and outcomes + self._left == self.lease.shard.count

    def note_durable(self) -> None:
        """Take note that the database has what the log has."""
        if self._settled is not None and self.is_settled:
            self._settled()

    def stop(self) -> None:
        """Stop everything that runs and start nothing more; what is answered is kept."""
        for span in self.spans:
            span.clear()
        self.stopped = True
        # Each of them once, whoever stops it again.
        running, self._running = self._running, set()
        for task in running:
            task.cancel()

    def drop(self) -> None:
        """Stop, and keep nothing that is not durable yet: the shard is no longer ours."""
        self.dropped = True
        self.traced.end()
        self.stop()

    def note_lost(self) -> None:
        """Drop it: its lease is another one's by now, or its job is over."""
        log.info("lease_lost", job=self.lease.job.id, shard=self.lease.shard.number)
        self.drop()


def _read_finished(
    shard: Shard, results: ResultLog
) -> tuple[tuple[Segment, ...], dict[int, Entry]]:
    """Return the segments of earlier holders of the shard, and the results in them by index."""
    sealed: list[Segment] = []
    finished: dict[int, Entry] = {}
    for epoch in range(1, shard.epoch):
        scan = results.scan(shard.job, shard.number, epoch, None)
        if not scan.entries:
            continue
        sealed.append(
            Segment(
                job=shard.job, shard=shard.number, epoch=epoch, committed_bytes=scan.valid_bytes
            )
        )
        # Of two outcomes the later epoch's counts: its holder did not see the other, which a
        # stale one added afterwards.
        finished |= {entry.index: entry for entry in scan.entries}
    return tuple(sealed), finished


def _unfinished(lines: Sequence[RequestLine], finished: Collection[int]) -> list[RequestLine]:
    """Return the lines that have no outcome; each shares with the one before it that is left."""
    if not finished:
        return list(lines)
    left = []
    shared_bytes = NO_BOUND
    for line in lines:
        shared_bytes = min(shared_bytes, line.shared_bytes)
        if line.index not in finished:
            left.append(msgspec.structs.replace(line, shared_bytes=shared_bytes))
            shared_bytes = NO_BOUND
    return left
