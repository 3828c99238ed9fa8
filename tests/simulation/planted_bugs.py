"""Bugs put in on purpose: a simulation that does not find them would find no others either."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any
from unittest import mock

from sqlalchemy import and_, true

from toplu.batch.assembly import Assembler
from toplu.batch.placements import Placements
from toplu.batch.results import ResultWriter
from toplu.batch.shard_run import ShardRun
from toplu.store import leases, result_log
from toplu.store.schema import shards

Bug = Callable[[], AbstractContextManager[Any]]


def epoch_is_not_checked() -> AbstractContextManager[Any]:
    def is_held(lease: Any) -> Any:
        return and_(
            shards.c.job == lease.job.id,
            shards.c.number == lease.shard.number,
            shards.c.owner == lease.owner,
        )

    return mock.patch.object(leases, "_is_held", is_held)


def held_shards_are_leased_again() -> AbstractContextManager[Any]:
    return mock.patch.object(leases, "or_", return_value=true())


def work_is_charged_twice() -> AbstractContextManager[Any]:
    charge = leases.charge

    def twice(connection: Any, job: Any, work: int) -> None:
        charge(connection, job, 2 * work)

    return mock.patch.object(leases, "charge", twice)


def work_is_not_charged() -> AbstractContextManager[Any]:
    return mock.patch.object(leases, "charge")


def results_count_twice() -> AbstractContextManager[Any]:
    append = ShardRun.append

    def twice(self: ShardRun, results: Any, records: Any) -> None:
        append(self, results, records)
        self.succeeded = min(self.succeeded + len(records), self.lease.shard.count - self.failed)

    return mock.patch.object(ShardRun, "append", twice)


def finished_work_is_forgotten() -> AbstractContextManager[Any]:
    """Whoever takes a shard over begins it anew, and what was finished is in the log twice."""
    init = ShardRun.__init__

    def forgetful(self: ShardRun, lease: Any, lines: Any, **more: Any) -> None:
        init(self, lease, lines, **more)
        self.failed = 0
        self.succeeded = 0

    return mock.patch.object(ShardRun, "__init__", forgetful)


def results_are_not_put_in_order() -> AbstractContextManager[Any]:
    output = Placements.output

    def unordered(self: Placements, *where: Any) -> Iterator[bytes]:
        for piece in output(self, *where):
            yield b"".join(reversed(piece.splitlines(keepends=True)))

    return mock.patch.object(Placements, "output", unordered)


def unwritten_results_count_as_written() -> AbstractContextManager[Any]:
    original = ResultWriter._append

    def blind(self: ResultWriter, group: Any) -> list[Any]:
        for run in original(self, group):
            run.succeeded += len(group[run])
        return []

    return mock.patch.object(ResultWriter, "_append", blind)


def checksums_are_not_checked() -> AbstractContextManager[Any]:
    return mock.patch.object(result_log, "_checksum", return_value=0)


def jobs_are_never_assembled() -> AbstractContextManager[Any]:
    async def idle(_: Assembler) -> timedelta:
        return timedelta(seconds=5)

    return mock.patch.object(Assembler, "step", idle)


BUGS: dict[str, Bug] = {
    bug.__name__: bug
    for bug in (
        epoch_is_not_checked,
        held_shards_are_leased_again,
        work_is_charged_twice,
        work_is_not_charged,
        results_count_twice,
        finished_work_is_forgotten,
        results_are_not_put_in_order,
        unwritten_results_count_as_written,
        checksums_are_not_checked,
        jobs_are_never_assembled,
    )
}
