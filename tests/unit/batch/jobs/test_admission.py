"""A job that is very small is planned as it is created; any other is the planner's."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.batch.batch_world import PROJECT, BatchWorld, line_of, taken
from toplu.batch import paths
from toplu.batch.jobs.admission import Candidate, new_job_id
from toplu.batch.plan import planner
from toplu.job import InputForm, Job, JobState, Method
from toplu.settings.model import ModelSettings
from toplu.store.rows.steps import StepKind


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[BatchWorld]:
    world = await BatchWorld.open(tmp_path, models=(ModelSettings(name="echo", engine="echo"),))
    yield world
    await world.close()


async def admitted(world: BatchWorld, lines: list[bytes]) -> Job:
    async def chunks() -> AsyncIterator[bytes]:
        for line in lines:
            yield line + b"\n"

    job = new_job_id()
    return await world.admission().admit(
        Candidate(
            id=job,
            project=PROJECT,
            model="gemini-2.5-flash",
            engine="echo",
            method=Method.GENERATE,
            display_name=None,
            input_form=InputForm.FILE,
            input_file="input",
            input_sha256="",
            size_bytes=await world.blobs.put(paths.input_lines(job), chunks()),
            total=0,
            priority=0,
        )
    )


async def test_a_very_small_job_can_be_leased_as_soon_as_it_is_there(world: BatchWorld) -> None:
    job = await admitted(world, [line_of(0), b"no request", line_of(2)])
    assert (job.state, job.planned, job.counts.total) == (JobState.PENDING, True, 3)
    assert await world.job(job.id) == job
    assert await world.due(StepKind.PLAN) is None
    indexes = []
    for _ in await world.jobs.shards(job.id):
        shard = await world.open_shard()
        assert shard.lease.job.id == job.id
        indexes += taken(shard)
    assert sorted(indexes) == [0, 1, 2]


async def test_it_is_in_the_order_that_the_planner_would_make(
    world: BatchWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [line_of(index) for index in (3, 1, 2, 0, 1)]
    at_once = await admitted(world, lines)
    monkeypatch.setattr(planner, "AT_CREATION_BYTES_MAX", 0)
    later = await admitted(world, lines)
    assert not later.planned
    await world.planner().step()
    orders = [await world.blobs.read(paths.order(job.id), 0, 2**20) for job in (at_once, later)]
    assert orders[0] == orders[1]
    counts = [
        [shard.count for shard in await world.jobs.shards(job.id)] for job in (at_once, later)
    ]
    assert counts[0] == counts[1]


async def test_one_with_a_wrong_input_is_the_planners_to_fail(world: BatchWorld) -> None:
    job = await admitted(world, [b"", b" "])
    assert not job.planned
    await world.planner().step()
    assert (await world.job(job.id)).state is JobState.FAILED
