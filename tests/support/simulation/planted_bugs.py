"""Bugs put in on purpose: a simulation that does not find them would find no others either."""

import asyncio
import dataclasses
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Any
from unittest import mock

import msgspec
from msgspec.structs import replace
from sqlalchemy import and_, select, true, update

from support.simulation import chain_bugs, faults, hold_bugs, lending_bugs
from support.simulation.faults import RooflineEngine
from support.simulation.plot import Plot
from toplu.batch.jobs.carrying import Carrying
from toplu.batch.plan import ordering, ordering_child
from toplu.batch.results.assembler import Assembler
from toplu.batch.results.placements import Placements
from toplu.batch.run.leased_shard import LeasedShard
from toplu.batch.run.request_runner import RequestRunner
from toplu.batch.run.result_writer import ResultWriter
from toplu.fleet.attempts import attempts
from toplu.store.blobs import records
from toplu.store.rows import leases, progress, steps
from toplu.store.rows.job_mapping import shard_of
from toplu.store.rows.schema import shards
from toplu.workers.dead_workers import DeadWorkers

Bug = Callable[[], AbstractContextManager[Any]]


def epoch_is_not_checked() -> AbstractContextManager[Any]:
    def read_held(connection: Any, held: Any) -> Any:
        found = {}
        for lease in held:
            is_like = and_(
                shards.c.job == lease.job.id,
                shards.c.number == lease.shard.number,
                shards.c.owner == lease.owner,
            )
            if (row := connection.execute(select(shards).where(is_like)).first()) is not None:
                found[leases.key_of(lease)] = shard_of(row)
        return found

    return mock.patch.object(progress, "read_held", read_held)


def held_shards_are_leased_again() -> AbstractContextManager[Any]:
    return mock.patch.object(leases, "or_", return_value=true())


def work_is_charged_twice() -> AbstractContextManager[Any]:
    charge = progress.charge

    def twice(connection: Any, job: Any, work: int) -> None:
        charge(connection, job, 2 * work)

    return mock.patch.object(progress, "charge", twice)


def work_is_not_charged() -> AbstractContextManager[Any]:
    return mock.patch.object(progress, "charge")


def results_count_twice() -> AbstractContextManager[Any]:
    added = LeasedShard.added

    def twice(self: LeasedShard, records: Any, committed_bytes: int) -> None:
        added(self, records, committed_bytes)
        self.succeeded = min(self.succeeded + len(records), self.lease.shard.count - self.failed)

    return mock.patch.object(LeasedShard, "added", twice)


def finished_work_is_forgotten() -> AbstractContextManager[Any]:
    """The next holder of a shard begins it again, and what was finished is in the log twice."""
    init = LeasedShard.__init__

    def forgetful(self: LeasedShard, lease: Any, lines: Any, **more: Any) -> None:
        init(self, lease, lines, **more)
        self.failed = 0
        self.succeeded = 0

    return mock.patch.object(LeasedShard, "__init__", forgetful)


def results_are_not_put_in_order() -> AbstractContextManager[Any]:
    output = Placements.output

    def unordered(self: Placements, *where: Any) -> Iterator[bytes]:
        for piece in output(self, *where):
            yield b"".join(reversed(piece.splitlines(keepends=True)))

    return mock.patch.object(Placements, "output", unordered)


def unwritten_results_count_as_written() -> AbstractContextManager[Any]:
    original = ResultWriter._append

    async def blind(self: ResultWriter, group: Any) -> list[Any]:
        for shard in await original(self, group):
            shard.succeeded += len(group[shard])
        return []

    return mock.patch.object(ResultWriter, "_append", blind)


def checksums_are_not_checked() -> AbstractContextManager[Any]:
    return mock.patch.object(records, "_checksum", return_value=0)


def jobs_are_never_assembled() -> AbstractContextManager[Any]:
    async def idle(_: Assembler) -> timedelta:
        return timedelta(seconds=5)

    return mock.patch.object(Assembler, "step", idle)


def duplicates_get_one_key() -> AbstractContextManager[Any]:
    copies = RequestRunner._copies

    def alike(self: RequestRunner, job: Any, duplicates: Any, response: Any) -> list[Any]:
        first = copies(self, job, duplicates, response)
        return [replace(record, payload=first[0].payload) for record in first]

    return mock.patch.object(RequestRunner, "_copies", alike)


def preempted_requests_count_twice() -> AbstractContextManager[Any]:
    generate = RooflineEngine.generate
    broken_off: set[str] = set()

    async def counting(self: RooflineEngine, prompt: Any, lane: int, listener: Any = None) -> Any:
        text = str(prompt.turns[-1].parts[0])
        try:
            generation = await generate(self, prompt, lane, listener)
        except asyncio.CancelledError:
            broken_off.add(text)
            raise
        if text not in broken_off:
            return generation
        twice = (replace(it, tokens=2 * it.tokens) for it in generation.completions)
        return replace(generation, completions=tuple(twice))

    return mock.patch.object(RooflineEngine, "generate", counting)


def preempted_requests_fail() -> AbstractContextManager[Any]:
    return mock.patch.object(attempts, "Preempted", ZeroDivisionError)


def results_are_written_late() -> AbstractContextManager[Any]:
    init = ResultWriter.__init__

    def patient(self: ResultWriter, **more: Any) -> None:
        init(self, **more)
        self._pause = timedelta(seconds=20)

    return mock.patch.object(ResultWriter, "__init__", patient)


def the_head_is_ordered_twice() -> AbstractContextManager[Any]:
    plan_input = ordering_child.plan_input

    def forgetful(task: Any) -> Any:
        return plan_input(msgspec.structs.replace(task, head_count=0))

    return mock.patch.object(faults, "plan_input", forgetful)


def choices_are_not_guarded() -> AbstractContextManager[Any]:
    """Two choose a shard before either has taken it, and the second takes it too."""
    choose = leases._choose_shard
    chosen: dict[str, int] = {}

    def choose_of_late(connection: Any, job: Any, *more: Any) -> int:
        before = chosen.get(job)
        chosen[job] = choose(connection, job, *more)
        return chosen[job] if before is None else before

    def take(connection: Any, is_it: Any, _: Any, owner: str, expires: Any) -> Any:
        shard = shard_of(connection.execute(select(shards).where(is_it)).one())
        epoch = shard.epoch + 1
        values = {"epoch": epoch, "owner": owner, "lease_expires": expires}
        connection.execute(update(shards).where(is_it).values(values))
        return dataclasses.replace(shard, epoch=epoch)

    return mock.patch.multiple(leases, _choose_shard=choose_of_late, _take=take)


def steps_are_not_held() -> AbstractContextManager[Any]:
    is_held = steps.is_held_by_another

    def is_held_no_more(job: Any, kind: Any, owner: str, now: datetime) -> Any:
        return is_held(job, kind, owner, now + timedelta(days=1))

    return mock.patch.object(steps, "is_held_by_another", is_held_no_more)


def the_dead_keep_what_they_hold() -> AbstractContextManager[Any]:
    async def leave(_: DeadWorkers) -> None:
        return

    return mock.patch.object(DeadWorkers, "end", leave)


def what_is_carried_runs_again() -> AbstractContextManager[Any]:
    def all_requests(file: Any, line_bytes_max: int, _: bytes) -> Iterator[Any]:
        for index, (span, line) in enumerate(ordering.read_lines(file, line_bytes_max)):
            yield index, span, line

    return mock.patch.multiple(ordering, read_requests=all_requests)


def carried_results_are_lost() -> AbstractContextManager[Any]:
    carry = Carrying._carry

    async def forgetful(self: Carrying, job: Any, new: Any, tally: Any, total: int) -> Any:
        for index in range(len(tally.responses)):
            if tally.has_response(index):
                tally.take_back(range(index, index + 1))
                break
        return await carry(self, job, new, tally, total)

    return mock.patch.object(Carrying, "_carry", forgetful)


BUGS: dict[str, Bug] = chain_bugs.BUGS | {
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
        duplicates_get_one_key,
        preempted_requests_count_twice,
        preempted_requests_fail,
        results_are_written_late,
        the_head_is_ordered_twice,
        choices_are_not_guarded,
        steps_are_not_held,
        the_dead_keep_what_they_hold,
        what_is_carried_runs_again,
        carried_results_are_lost,
        *hold_bugs.BUGS,
        *lending_bugs.BUGS,
    )
}

COMPLETED = Plot(withdraw=0.1, pause=0.0, complete=1.0, kill=0.0, jump=0.0, clear=True)
# What a history needs to come by the bug for certain, where most have not enough of it.
PLOTS: dict[str, Plot] = chain_bugs.PLOTS | {
    "epoch_is_not_checked": Plot(jump=0.4, jumps=(200,), kill=0.0, withdraw=0.0),
    "work_is_charged_twice": Plot(projects=1, clear=True),
    "finished_work_is_forgotten": Plot(kill=0.3, withdraw=0.0),
    "unwritten_results_count_as_written": Plot(clear=True, weather={"disk_full": 0.3}),
    "checksums_are_not_checked": Plot(kill=0.3, withdraw=0.0),
    "duplicates_get_one_key": Plot(duplicate=0.7, withdraw=0.0),
    "preempted_requests_count_twice": Plot(
        ask=0.95, pause=0.0, duplicate=0.0, kill=0.0, jump=0.0, long=1.0, clear=True
    ),
    "preempted_requests_fail": Plot(ask=0.9, pause=0.0, withdraw=0.0, kill=0.0, clear=True),
    "results_are_written_late": Plot(kill=0.3, jump=0.0, clear=True),
    "choices_are_not_guarded": Plot(processes=2, jump=0.0),
    "steps_are_not_held": Plot(
        processes=2, jump=0.0, long=1.0, clear=True, weather={"child_slow": 0.7}
    ),
    "the_dead_keep_what_they_hold": Plot(
        processes=2, kill=0.3, jump=0.0, duplicate=0.0, clear=True, weather={"engine_hang": 0.2}
    ),
    "what_is_carried_runs_again": COMPLETED,
    "carried_results_are_lost": COMPLETED,
    "the_head_is_ordered_twice": Plot(long=1.0, withdraw=0.0, clear=True),
    **hold_bugs.PLOTS,
    **lending_bugs.PLOTS,
}
