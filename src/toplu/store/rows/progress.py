"""The counts that are written under leases: of shards, of their jobs, and of what projects had.

A group of results is written some twenty times a second, by as few statements as it can be, which
are built once. Each function runs inside a transaction.
"""

import functools
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, Update, and_, bindparam, insert, update

from toplu.job import Job, JobId, JobState, Lease, ProjectId, Shard
from toplu.money import TOKENS, WORK_OF_REQUEST, Kind, Usage, total
from toplu.store.blobs.result_log import Segment
from toplu.store.rows.job_room import is_visible
from toplu.store.rows.label_sums import keep_sums
from toplu.store.rows.leases import give_back_lease, key_of, read_held
from toplu.store.rows.locks import Collision
from toplu.store.rows.schema import jobs, segments, shards
from toplu.store.rows.shares import charge
from toplu.store.rows.spending import add_spending, day_of
from toplu.store.rows.step_holds import StepKind, hold_step
from toplu.store.rows.steps import is_complete

OUTCOMES = ("succeeded", "failed", "deduplicated")
COUNTERS = (*OUTCOMES, *TOKENS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """The progress of a leased shard: its totals, and how far each segment it uses is valid."""

    lease: Lease
    segments: tuple[Segment, ...]
    succeeded: int  # of the whole shard, what earlier leases did included
    failed: int
    deduplicated: int = 0  # of the succeeded, those that another one's answer was right for
    usage: Usage
    labels: bytes | None = None  # the same by label, as `LabelSums` encodes it; None: no labels


def record_progress(connection: Connection, group: Sequence[Progress], at: datetime) -> list[Lease]:
    """Write what leases achieved; return those that are lost."""
    held = read_held(connection, [progress.lease for progress in group])
    gains = [
        _Gain.of(progress, held[key_of(progress.lease)])
        for progress in group
        if key_of(progress.lease) in held
    ]
    if gains:
        connection.execute(_shard_update(), [gain.values() for gain in gains])
        gains.sort(key=_job_of)
        works = [
            _write_job(connection, job, list(of_job), at)
            for job, of_job in groupby(gains, key=_job_of)
        ]
        # After all jobs, and in order: two groups wait for each other one way.
        for job_at_hand, work in sorted(works, key=lambda it: (it[0].engine, it[0].project)):
            charge(connection, job_at_hand, work)
        add_spending(connection, [gain.spending(at) for gain in gains])
    _begin_assembly(connection, gains, at)
    for gain in gains:
        if gain.progress.labels is not None:
            keep_sums(connection, gain.progress.lease.shard, gain.progress.labels)
        if gain.after.is_done:
            give_back_lease(connection, gain.progress.lease)
        for segment in gain.progress.segments:
            _write_segment(connection, gain.progress.lease, segment)
    return [progress.lease for progress in group if key_of(progress.lease) not in held]


def _begin_assembly(connection: Connection, gains: Sequence["_Gain"], at: datetime) -> None:
    """Have the worker that wrote the last result of a job assemble it."""
    last = {gain.after.job: gain.progress.lease.owner for gain in gains if gain.after.is_done}
    for job, owner in last.items():
        if is_complete(connection, job):
            hold_step(connection, StepKind.ASSEMBLE, job, owner, at)


@dataclass(frozen=True, slots=True)
class _Gain:
    """The counts of a shard before and now."""

    progress: Progress
    before: Shard
    after: Shard

    @classmethod
    def of(cls, progress: Progress, before: Shard) -> "_Gain":
        after = replace(
            before,
            succeeded=progress.succeeded,
            failed=progress.failed,
            deduplicated=progress.deduplicated,
            usage=progress.usage,
        )
        assert before.succeeded <= after.succeeded, "an outcome is never taken back"
        assert before.failed <= after.failed, "an outcome is never taken back"
        assert (after.usage - before.usage).has_no_negative, "an outcome is never taken back"
        assert after.succeeded + after.failed <= after.count, "each request has one outcome"
        return cls(progress, before, after)

    def spending(self, at: datetime) -> tuple[ProjectId, str, int]:
        """Return what it costs, of which project and on which day."""
        job = self.progress.lease.job
        before, after = (job.prices.cost(it.usage, Kind.BATCH) for it in (self.before, self.after))
        return job.project, day_of(at), after - before

    def values(self) -> dict[str, Any]:
        """Return the new values of the shard's row, and which row it is."""
        return {
            "of_job": self.after.job,
            "of_number": self.after.number,
            "succeeded": self.after.succeeded,
            "failed": self.after.failed,
            "deduplicated": self.after.deduplicated,
            "done": self.after.is_done,
            **asdict(self.after.usage),
        }


def _job_of(gain: _Gain) -> JobId:
    return gain.after.job


@functools.cache
def _shard_update() -> Update:
    return update(shards).where(
        shards.c.job == bindparam("of_job"), shards.c.number == bindparam("of_number")
    )


@functools.cache
def _job_update() -> Update:
    more = {name: jobs.c[name] + bindparam(f"more_{name}") for name in COUNTERS}
    goes_on = and_(is_visible(), jobs.c.state == JobState.RUNNING)
    return update(jobs).where(jobs.c.id == bindparam("of_job"), goes_on).values(more)


def _write_job(
    connection: Connection, job: JobId, gains: Sequence[_Gain], at: datetime
) -> tuple[Job, int]:
    """Add what shards of the job gained to its counts; return the job, and the work that it was.

    Collision: it has ended since its leases were read.
    """
    before = [gain.before for gain in gains]
    after = [gain.after for gain in gains]
    used = total(it.usage for it in after) - total(it.usage for it in before)
    succeeded, failed, deduplicated = (
        sum(getattr(it, name) for it in after) - sum(getattr(it, name) for it in before)
        for name in OUTCOMES
    )
    values = {
        "more_succeeded": succeeded,
        "more_failed": failed,
        "more_deduplicated": deduplicated,
        **{f"more_{name}": tokens for name, tokens in asdict(used).items()},
    }
    counted = connection.execute(_job_update(), {"of_job": job, "updated": at, **values})
    if not counted.rowcount:
        raise Collision
    outcomes = succeeded + failed
    return gains[0].progress.lease.job, used.work + outcomes * WORK_OF_REQUEST


@functools.cache
def _segment_update() -> Update:
    return update(segments).where(
        segments.c.job == bindparam("of_job"),
        segments.c.shard == bindparam("of_shard"),
        segments.c.epoch == bindparam("of_epoch"),
    )


def _write_segment(connection: Connection, lease: Lease, segment: Segment) -> None:
    assert segment.job == lease.job.id, "a lease speaks for its own shard only"
    assert segment.shard == lease.shard.number, "a lease speaks for its own shard only"
    assert segment.epoch <= lease.shard.epoch, "no later lease has written yet"
    known = connection.execute(
        _segment_update(),
        {
            "of_job": segment.job,
            "of_shard": segment.shard,
            "of_epoch": segment.epoch,
            "committed_bytes": segment.committed_bytes,
        },
    )
    if not known.rowcount:
        connection.execute(insert(segments).values(asdict(segment)))
