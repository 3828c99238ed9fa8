"""The roster: who is there with which engines, as a process without any of them reads it."""

import errno
from datetime import timedelta

import pytest

from support.batch.batch_world import BatchWorld
from toplu.job import JobId
from toplu.replica import Capacity, EngineState, Replica
from toplu.store.rows.workers import Report, Worker, WorkerRows
from toplu.workers.roster import SILENT, Roster

SECOND = timedelta(seconds=1)


def replica(
    state: EngineState = EngineState.READY, *, engine: str = "echo", speed: float | None = None
) -> Replica:
    reason = "" if state is EngineState.READY else f"it is {state}"
    return Replica(
        engine=engine, state=state, reason=reason, lanes=2, window=2, work_per_second=speed
    )


async def report(world: BatchWorld, worker: str, *replicas: Replica) -> None:
    now = world.clock.now()
    who = Worker(id=worker, started=now, seen=now)
    await WorkerRows(world.database).report(Report(worker=who, replicas=replicas))


def roster_of(world: BatchWorld, dead: set[str] | None = None) -> Roster:
    return Roster(
        clock=world.clock,
        rows=WorkerRows(world.database),
        lives=lambda worker: worker not in (dead or set()),
    )


async def test_an_engine_is_as_well_as_its_best_replica(world: BatchWorld) -> None:
    await report(world, "one", replica(EngineState.DOWN), replica(EngineState.IDLE, engine="lazy"))
    roster = roster_of(world)
    present = await roster.present()
    assert present.states() == {"echo": EngineState.DOWN, "lazy": EngineState.IDLE}
    assert present.reasons() == {"echo": "it is DOWN", "lazy": "it is IDLE"}
    await report(world, "two", replica())
    roster.forget()
    present = await roster.present()
    assert present.states() == {"echo": EngineState.READY, "lazy": EngineState.IDLE}
    assert present.reasons() == {"lazy": "it is IDLE"}
    assert [it.id for it in present.with_engine("echo")] == ["one", "two"]
    assert [it.id for it in present.with_engine("lazy")] == ["one"]


async def test_what_was_read_is_good_for_a_second(world: BatchWorld) -> None:
    roster = roster_of(world)
    assert (await roster.present()).workers == []
    await report(world, "one")
    assert (await roster.present()).workers == []
    world.clock.advance(SECOND)
    assert [it.id for it in (await roster.present()).workers] == ["one"]


async def test_a_worker_that_is_dead_is_not_there(world: BatchWorld) -> None:
    await report(world, "one", replica())
    await report(world, "two", replica(EngineState.STARTING))
    present = await roster_of(world, dead={"one"}).present()
    assert present.states() == {"echo": EngineState.STARTING}


@pytest.mark.parametrize(
    ("speeds", "together"), [((None, None), None), ((1.0, 3.0), 4.0), ((1.0, None), 2.0)]
)
async def test_replicas_are_as_fast_as_all_of_them(
    world: BatchWorld, speeds: tuple[float | None, float | None], together: float | None
) -> None:
    for worker, speed in zip(("one", "two"), speeds, strict=True):
        await report(world, worker, replica(speed=speed))
    present = await roster_of(world).present()
    expected = Capacity(lanes=4, work_per_second=together)
    assert Capacity.of(present.capacities("echo")) == expected
    assert [it.lanes for it in present.capacities("echo", besides="one")] == [2]


async def test_a_worker_that_lives_and_is_silent_has_no_space(
    world: BatchWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    await report(world, "one", replica())
    roster = roster_of(world)
    world.clock.advance(SILENT)
    assert (await roster.present()).fault_of(JobId("any")) is None, "it can be written to"
    world.clock.advance(SECOND)

    async def fail(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(world.database, "write", fail)
    assert (await roster.present()).fault_of(JobId("any")) == "No space left on device"
    world.clock.advance(SECOND)
    monkeypatch.undo()
    assert (await roster.present()).fault_of(JobId("any")) is None
