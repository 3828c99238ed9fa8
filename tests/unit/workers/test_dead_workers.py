"""Dead workers: what they held is free at once, and what living ones hold stays theirs."""

from pathlib import Path

from support.batch.batch_world import BatchWorld
from toplu.store.rows.workers import Report, Worker, WorkerRows
from toplu.store.worker_lives import WorkerLives
from toplu.workers.dead_workers import ROUND, DeadWorkers


async def test_only_what_dead_workers_hold_is_free_again(world: BatchWorld, tmp_path: Path) -> None:
    await world.planned_job("one", 12)
    lives = WorkerLives(tmp_path / "workers", tmp_path / "prefixes")
    rows = WorkerRows(world.database)
    now = world.clock.now()
    lasting, killed = lives.begin("lasting"), lives.begin("killed")
    for worker in ("lasting", "killed", "without-a-file"):
        await rows.report(Report(worker=Worker(id=worker, started=now, seen=now)))
        await world.open_shard(worker)
    mine = DeadWorkers(rows=rows, lives=lives, worker="mine")
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
    await DeadWorkers(rows=WorkerRows(world.database), lives=lives, worker="mine").end()
    assert lives.known() == set()
