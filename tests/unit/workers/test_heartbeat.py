"""The heartbeat: what others read is never older than it says, and ends with the worker."""

import errno
from datetime import timedelta

import pytest

from support.batch.batch_world import BatchWorld
from toplu.job import JobId
from toplu.replica import EngineState, Replica
from toplu.store.rows.workers import WorkerRows
from toplu.workers.dead_workers import LIFE
from toplu.workers.heartbeat import BEAT, CUT_OFF_SECONDS, Heartbeat
from toplu.workers.lanes_at_work import LanesAtWork
from toplu.workers.roster import Roster

REPLICA = Replica(engine="echo", state=EngineState.READY, lanes=4, window=2)


@pytest.fixture
def roster(world: BatchWorld) -> Roster:
    return Roster(clock=world.clock, rows=WorkerRows(world.database))


@pytest.fixture
def at_work() -> LanesAtWork:
    return LanesAtWork("server-1")


@pytest.fixture
def heartbeat(world: BatchWorld, roster: Roster, at_work: LanesAtWork) -> Heartbeat:
    return heartbeat_of(world, WorkerRows(world.database), roster, at_work)


@pytest.fixture
def among_machines(world: BatchWorld, roster: Roster, at_work: LanesAtWork) -> Heartbeat:
    """The heartbeat of a worker whose rows workers of other machines have too."""
    rows = WorkerRows(world.database, life=LIFE, now=lambda _: world.clock.now())
    return heartbeat_of(world, rows, roster, at_work)


def heartbeat_of(
    world: BatchWorld, rows: WorkerRows, roster: Roster, at_work: LanesAtWork
) -> Heartbeat:
    return Heartbeat(
        clock=world.clock,
        rows=rows,
        worker="server-1",
        replicas=lambda: [REPLICA],
        at_work=at_work,
        faults=world.faults,
        written=roster.forget,
        door="/run/door",
    )


async def test_a_beat_says_all_and_is_read_at_once(
    world: BatchWorld, heartbeat: Heartbeat, roster: Roster, at_work: LanesAtWork
) -> None:
    started = world.clock.now()
    assert (await roster.present()).workers == []
    assert await heartbeat.step() == BEAT
    at_work.note("echo", 0, JobId("one"))
    world.faults.note(JobId("one"), OSError(errno.ENOSPC, "No space left on device"))
    world.clock.advance(BEAT)
    await heartbeat.step()
    present = await roster.present()
    (worker,) = present.workers
    assert (worker.door, worker.started, worker.seen) == ("/run/door", started, world.clock.now())
    assert present.states() == {"echo": EngineState.READY}
    assert present.fault_of(JobId("one")) == "No space left on device"
    assert (await world.jobs.competition("echo", started)).lanes == {JobId("one"): 1}


async def test_at_the_end_nothing_is_left_of_it(
    world: BatchWorld, heartbeat: Heartbeat, roster: Roster, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.planned_job("one", 2)
    await heartbeat.step()
    await world.open_shard("server-1")
    await heartbeat.end()
    assert (await roster.present()).workers == []
    assert await WorkerRows(world.database).owners() == set()

    async def fail(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(world.database, "write", fail)
    await heartbeat.end()


async def test_who_cannot_write_among_machines_is_cut_off_before_it_is_thought_dead(
    world: BatchWorld, among_machines: Heartbeat, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert among_machines.is_cut_off(), "nobody has heard of it yet"
    await among_machines.begin()
    write = world.database.write

    async def write_late(*given: object, **how: object) -> None:
        await write(*given, **how)  # type: ignore[arg-type]
        world.clock.advance(timedelta(seconds=3))  # until it hears that it was written

    monkeypatch.setattr(world.database, "write", write_late)
    await among_machines.step()

    async def fail(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(world.database, "write", fail)
    world.clock.advance(timedelta(seconds=CUT_OFF_SECONDS - 3))
    with pytest.raises(OSError, match="Input"):
        await among_machines.step()
    assert not among_machines.is_cut_off()
    world.clock.advance(timedelta(milliseconds=1))
    assert among_machines.is_cut_off()
    assert timedelta(seconds=CUT_OFF_SECONDS) < LIFE
    monkeypatch.undo()
    await among_machines.step()
    assert not among_machines.is_cut_off()


async def test_who_is_alone_on_its_rows_is_never_cut_off(
    world: BatchWorld, heartbeat: Heartbeat
) -> None:
    world.clock.advance(timedelta(days=1))
    assert not heartbeat.is_cut_off()
