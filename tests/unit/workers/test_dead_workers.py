"""Dead workers: what they held is free at once, and what living ones hold stays theirs."""

from datetime import timedelta
from pathlib import Path

from support.batch.batch_world import BatchWorld
from toplu.store.rows.workers import Report, Worker, WorkerRows
from toplu.store.worker_lives import WorkerLives
from toplu.workers.dead_workers import GAP_SECONDS, LIFE, ROUND, ROUND_OF_SILENT, DeadWorkers


async def test_only_what_dead_workers_hold_is_free_again(world: BatchWorld, tmp_path: Path) -> None:
    await world.planned_job("one", 12)
    lives = WorkerLives(tmp_path / "workers", tmp_path / "prefixes")
    rows = WorkerRows(world.database)
    now = world.clock.now()
    lasting, killed = lives.begin("lasting"), lives.begin("killed")
    for worker in ("lasting", "killed", "without-a-file"):
        await rows.report(Report(worker=Worker(id=worker, started=now, seen=now)))
        await world.open_shard(worker)
    mine = DeadWorkers(clock=world.clock, rows=rows, lives=lives, worker="mine")
    assert await world.scheduler("mine").lease_shard("echo", 0) is None
    lives.prefixes_of("killed").mkdir(parents=True)
    killed.close()
    assert await mine.step() == ROUND
    assert await rows.owners() == {"lasting"}
    assert lives.known() == {"lasting"}
    assert not lives.prefixes_of("killed").exists()
    freed = [await world.scheduler("mine").lease_shard("echo", lane) for lane in range(3)]
    assert [lease is not None for lease in freed] == [True, True, False]
    await mine.end()
    assert await rows.owners() == {"lasting", "mine"}, "it knows that it lives itself"
    lasting.close()


async def test_a_worker_that_left_nothing_but_its_file_is_forgotten(
    world: BatchWorld, tmp_path: Path
) -> None:
    lives = WorkerLives(tmp_path / "workers", tmp_path / "prefixes")
    lives.begin("killed").close()
    rows = WorkerRows(world.database)
    await DeadWorkers(clock=world.clock, rows=rows, lives=lives, worker="mine").end()
    assert lives.known() == set()


class Machine:
    """A worker of one machine among several, which have their rows in common."""

    def __init__(self, world: BatchWorld, folder: Path, worker: str) -> None:
        self.clock, self.worker = world.clock, worker
        self.rows = WorkerRows(world.database, life=LIFE, now=lambda _: world.clock.now())
        self.dead = DeadWorkers(
            clock=world.clock,
            rows=self.rows,
            lives=WorkerLives(folder / worker / "workers", folder / worker / "prefixes"),
            worker=worker,
        )

    async def report(self) -> None:
        # Its own clock is a day off, which is nothing to anybody.
        now = self.clock.now() + timedelta(days=1)
        await self.rows.report(Report(worker=Worker(id=self.worker, started=now, seen=now)))


async def pass_seconds(world: BatchWorld, seconds: int, mine: Machine, *others: Machine) -> None:
    for _ in range(seconds):
        world.clock.advance(ROUND_OF_SILENT)
        for each in (mine, *others):
            await each.report()
        await mine.dead.step()


async def test_a_worker_of_another_machine_that_is_silent_is_dead(
    world: BatchWorld, tmp_path: Path
) -> None:
    await world.planned_job("one", 12)
    mine, lasting, killed = (Machine(world, tmp_path, it) for it in ("mine", "lasting", "killed"))
    for each in (mine, lasting, killed):
        await each.report()
        await world.open_shard(each.worker)
    await mine.dead.step()
    await pass_seconds(world, 9, mine, lasting)
    assert await mine.rows.owners() == {"mine", "lasting", "killed"}
    assert [it.worker.id for it in await mine.rows.reports()] == ["killed", "lasting", "mine"]
    await pass_seconds(world, 1, mine, lasting)
    assert await mine.rows.owners() == {"mine", "lasting"}
    assert [it.worker.id for it in await mine.rows.reports()] == ["lasting", "mine"]


async def test_who_was_out_of_contact_judges_nobody(world: BatchWorld, tmp_path: Path) -> None:
    await world.planned_job("one", 12)
    mine, other = (Machine(world, tmp_path, it) for it in ("mine", "other"))
    await other.report()
    await world.open_shard("other")
    await pass_seconds(world, 9, mine, other)
    # The rows were gone for all, and the first one back finds everybody silent.
    world.clock.advance(LIFE + timedelta(seconds=GAP_SECONDS))
    await mine.dead.step()
    assert await mine.rows.owners() == {"mine", "other"}
    await pass_seconds(world, 9, mine)
    assert await mine.rows.owners() == {"mine", "other"}
    await pass_seconds(world, 1, mine)
    assert await mine.rows.owners() == {"mine"}
