"""The policy's view of an engine follows from rows and from what its lanes do."""

from dataclasses import replace
from datetime import timedelta

from support.batch.batch_world import PROJECT, BatchWorld
from toplu.batch.schedule.candidates import EngineLoad, all_alike, candidates_of, queued_job
from toplu.batch.schedule.policy import Candidates, Engine
from toplu.job import JobId, ProjectId

ENGINE = Engine(lanes=4, work_per_second=None, quantum_seconds=10)
TARGET = timedelta(hours=24)


async def read(world: BatchWorld, load: EngineLoad) -> Candidates:
    async def weight_of(project: ProjectId) -> int:
        return 3 if project == PROJECT else await all_alike(project)

    now = world.clock.now()
    competition = await world.jobs.competition("echo", now)
    return await candidates_of(competition, load, weight_of=weight_of, target=TARGET, now=now)


async def test_each_planned_job_is_a_candidate_with_its_lanes(world: BatchWorld) -> None:
    await world.planned_job("one", 4)
    await world.planned_job("two", 4)
    await world.keep_job("unplanned", [b"{}"])
    found = await read(world, EngineLoad(engine=ENGINE, busy={JobId("two"): 3}))
    assert {it.job: it.lanes for it in found.jobs} == {"one": 0, "two": 3}
    assert all(it.waits and it.work > 0 for it in found.jobs)
    assert found.engine is ENGINE
    assert found.now == world.clock.now()
    assert found.shares.weight(PROJECT) == 3


async def test_a_job_that_others_hold_does_not_wait(world: BatchWorld) -> None:
    await world.planned_job("one", 1)
    await world.open_shard("another server")
    (found,) = (await read(world, EngineLoad(engine=ENGINE, busy={}))).jobs
    assert not found.waits


async def test_the_target_is_never_after_the_expiry(world: BatchWorld) -> None:
    job = await world.planned_job("one", 1)
    assert queued_job(job, target=TARGET, waits=True).target == job.created + TARGET
    soon = replace(job, expires=job.created + timedelta(hours=1))
    assert queued_job(soon, target=TARGET, waits=True).target == soon.expires
