"""Hop 6: makes answered requests durable, in groups.

Results gather while the last group is being written; one group is one fdatasync for each
segment it touches, then one transaction that moves the counts. A crash loses at most the group
that was gathering. The log is the truth and the counts follow it: a result that reached the
log is kept even if the transaction did not happen.
"""

import asyncio
from collections import Counter
from datetime import timedelta

import structlog

from toplu.batch.loop import AFTER_A_FAULT, AT_ONCE, Wakeup
from toplu.batch.run.leased_shard import LeasedShard
from toplu.batch.schedule.throughput import Throughputs
from toplu.clock import Clock
from toplu.metrics.measured import (
    BATCH,
    COMMIT_SECONDS,
    COPIED,
    FAILED,
    REQUESTS,
    REUSED,
    SUCCEEDED,
    note_tokens,
)
from toplu.money import total
from toplu.projects.terms_book import TermsBook
from toplu.settings.server import Settings
from toplu.store.blobs.records import Record
from toplu.store.blobs.results import Results
from toplu.store.rows.jobs import JobRows
from toplu.workers.lanes_at_work import LanesAtWork
from toplu.workers.storage_faults import StorageFaults

log = structlog.get_logger()

IDLE = timedelta(seconds=5)
GROUP_BYTES_MAX = 8 * 1024 * 1024  # of lines; a group of so many does not wait for more
LONGEST = timedelta(days=1)


class ResultWriter:
    """Gathers results of all shards and commits them as groups."""

    def __init__(
        self,
        *,
        settings: Settings,
        clock: Clock,
        jobs: JobRows,
        results: Results,
        done: Wakeup,
        terms: TermsBook | None = None,  # None: no project has any
        speeds: Throughputs | None = None,
        faults: StorageFaults | None = None,
        at_work: LanesAtWork | None = None,
    ) -> None:
        self._clock = clock
        self._jobs = jobs
        self._results = results
        self._done = done  # set when a shard is done
        self._terms = terms
        self._speeds = speeds or Throughputs()
        self._faults = faults or StorageFaults()
        self._at_work = at_work
        self._gathering: dict[LeasedShard, list[Record]] = {}
        self._buffered = 0
        self._buffered_max = settings.results_buffered_max
        self._room = asyncio.Event()
        self._room.set()
        self._committing = asyncio.Lock()
        self._pause = timedelta(seconds=settings.commit_seconds)
        self._gathered_bytes = 0
        self._is_full: Wakeup | None = None  # ends a pause that is long
        if settings.bucket is not None:
            self._pause = timedelta(seconds=settings.bucket.flush_seconds)
            self._is_full = Wakeup()
        self.wakeup = Wakeup()

    def add(self, shard: LeasedShard, record: Record) -> None:
        """Take one outcome; it is durable after a coming `step`."""
        self._gathering.setdefault(shard, []).append(record)
        self._buffered += 1
        if self._terms is not None:
            shard.uncounted_cost += self._terms.note(shard.lease.job, record.usage)
        self._gathered_bytes += len(record.payload)
        if self._is_full is not None and self._is_a_group:
            self._is_full.set()
        if self._buffered >= self._buffered_max:
            self._room.clear()
        self.wakeup.set()

    def note(self, shard: LeasedShard) -> None:
        """Have the shard's counts recorded, though it has no new outcome."""
        self._gathering.setdefault(shard, [])
        self.wakeup.set()

    @property
    def has_room(self) -> bool:
        """Whether another result may be added without waiting."""
        return self._room.is_set()

    async def wait_for_room(self) -> None:
        """Return when another result may be added; this is what holds runners back."""
        await self._room.wait()

    async def step(self) -> timedelta:
        """Commit what has gathered."""
        if not self._gathering:
            return IDLE
        # A flush comes beside the loop's step, and two appends of a shard would cut each other off.
        async with self._committing:
            with COMMIT_SECONDS.time():
                delay = await self._commit()
        if delay > AT_ONCE:
            return delay
        # Long enough for a group to gather, short enough that a crash loses little.
        await (self._clock.sleep(self._pause) if self._is_full is None else self._gather())
        return AT_ONCE if self._gathering else IDLE

    @property
    def _is_a_group(self) -> bool:
        return self._gathered_bytes >= GROUP_BYTES_MAX or self._buffered >= self._buffered_max

    async def _gather(self) -> None:
        """Return after the pause, or when there is enough for a group before that."""
        assert self._is_full is not None, "who has a long pause has something that ends it"
        async with asyncio.TaskGroup() as either:
            pause = either.create_task(self._clock.sleep(self._pause))
            full = either.create_task(self._is_full.wait(LONGEST))
            pause.add_done_callback(lambda _: full.cancel())
            full.add_done_callback(lambda _: pause.cancel())

    async def flush(self) -> None:
        """Commit until nothing gathers; for the end of a drain.

        On a full disk it gives up: what is not durable runs again in the next life of the server.
        """
        async with self._committing:
            try:
                while self._gathering:
                    if await self._commit() > AT_ONCE:
                        return
            except OSError as fault:
                log.warning("results_not_counted", reason=fault.strerror)

    def unblock(self) -> None:
        """Let those that wait for room go on; for a drain, which adds no further requests."""
        self._room.set()

    async def _commit(self) -> timedelta:
        """Make one group durable and counted; return how long to wait before the next try."""
        group, self._gathering = self._gathering, {}
        self._gathered_bytes = 0
        for shard in [shard for shard in group if shard.dropped]:
            del group[shard]
            self._take_back(shard)
        costs = {shard: shard.uncounted_cost for shard in group}
        # A full disk, most likely: the results stay in memory, runners wait for room, and they are
        # tried again until there is space.
        unwritten = await self._append(group)
        log.debug("results_written", runs=len(group) - len(unwritten))
        for shard in unwritten:
            self._gathering[shard] = group.pop(shard) + self._gathering.get(shard, [])
        self._buffered = sum(len(records) for records in self._gathering.values())
        if self._buffered < self._buffered_max:
            self._room.set()
        try:
            if group:
                await self._record(list(group))
        except Exception as fault:
            for shard in group:
                self.note(shard)
                self._faults.note(shard.lease.job.id, fault)
            raise
        for job in {shard.lease.job.id for shard in group}:
            if all(shard.lease.job.id != job for shard in unwritten):
                self._faults.clear(job)
        self._measure(group)
        await self._follow({shard: costs[shard] for shard in group})
        return AFTER_A_FAULT if unwritten else AT_ONCE

    def _take_back(self, shard: LeasedShard) -> None:
        if self._terms is not None:
            self._terms.take_back(shard.lease.job, shard.uncounted_cost)
        shard.uncounted_cost = 0

    async def _follow(self, costs: dict[LeasedShard, int]) -> None:
        """Have the terms of projects follow what the database has now."""
        if self._terms is None:
            return
        for shard, cost in costs.items():
            if shard.dropped:
                self._take_back(shard)
            else:
                shard.uncounted_cost -= cost
                self._terms.note_recorded(shard.lease.job, cost)
        for project in {shard.lease.job.project for shard in costs}:
            await self._terms.refresh(project)

    async def _append(self, group: dict[LeasedShard, list[Record]]) -> list[LeasedShard]:
        """Write each shard's records; return the shards whose records could not be written."""
        written = [(shard, records) for shard, records in group.items() if records]
        ends = await self._results.append_all(
            [shard.addition(records) for shard, records in written]
        )
        unwritten = []
        for (shard, records), end in zip(written, ends, strict=True):
            if isinstance(end, Exception):
                log.error("results_not_written", job=shard.lease.job.id, exc_info=end)
                self._faults.note(shard.lease.job.id, end)
                unwritten.append(shard)
            else:
                shard.added(records, end)
        return unwritten

    def _measure(self, group: dict[LeasedShard, list[Record]]) -> None:
        now = self._clock.now()
        for shard, records in group.items():
            job, usage = shard.lease.job, total(record.usage for record in records)
            self._speeds.of(job.engine).add(usage, now)
            note_tokens(
                job.engine,
                job.project,
                prompt=usage.prompt_tokens,
                cached=usage.cached_tokens,
                output=usage.output_tokens,
            )
            for outcome, count in Counter(map(_outcome_of, records)).items():
                REQUESTS.labels(job.engine, BATCH, outcome).inc(count)

    async def _record(self, shards: list[LeasedShard]) -> None:
        lost = await self._jobs.record(
            [shard.progress() for shard in shards],
            self._clock.now(),
            () if self._at_work is None else self._at_work.take_changes(),
        )
        for shard in shards:
            if shard.lease in lost:
                shard.note_lost()
            elif shard.is_done:
                shard.traced.end()
                self._done.set()
            else:
                shard.note_durable()


def _outcome_of(record: Record) -> str:
    if record.is_copy:
        return COPIED
    if record.usage.reused_requests:
        return REUSED
    return SUCCEEDED if record.succeeded else FAILED
