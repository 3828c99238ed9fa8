"""Plans: small input at once as a whole, large input first its head and then the rest."""

import asyncio
import contextlib
import itertools
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from support.batch.batch_world import BatchWorld, line_of
from support.store.read_only import read_only
from support.waiting import PATIENCE_SECONDS
from toplu.batch import paths
from toplu.batch.loop import AFTER_A_FAULT
from toplu.batch.plan import ordering
from toplu.batch.plan.order import RequestLine, read_shard
from toplu.child_process import ChildEnded
from toplu.job import JobId, JobState
from toplu.settings.server import ModelSettings, Settings
from toplu.store.rows.steps import StepKind

ONE = JobId("one")


def asked(text: str, **config: Any) -> bytes:
    request: dict[str, Any] = {"contents": [{"parts": [{"text": text}]}]}
    if config:
        request["generationConfig"] = config
    return json.dumps({"key": text[:20], "request": request}).encode()


async def ordered_lines(world: BatchWorld, line_bytes_max: int = 1000) -> list[RequestLine]:
    shards = await world.jobs.shards(ONE)
    assert [shard.number for shard in shards] == list(range(len(shards)))
    assert [shard.first for shard in shards] == [
        0,
        *itertools.accumulate(shard.count for shard in shards[:-1]),
    ]
    return [
        line for shard in shards for line in await read_shard(world.blobs, shard, line_bytes_max)
    ]


async def test_a_planned_shard_reads_its_own_lines(world: BatchWorld) -> None:
    lines = [line_of(index) for index in range(6)]
    await world.keep_job("one", [lines[0], b"", *lines[1:]])
    await world.planner().step()
    job = await world.job("one")
    assert (job.planned, job.counts.total) == (True, 6)
    read = await ordered_lines(world)
    assert [line.line for line in read] == lines
    assert [line.index for line in read] == list(range(6))
    assert [line.number for line in read] == [1, 3, 4, 5, 6, 7]


async def test_requests_that_share_a_prefix_run_one_after_another(world: BatchWorld) -> None:
    passages = ["Once " * 50, "Twice " * 50]
    texts = [passage + question for question in "abc" for passage in passages]
    await world.keep_job("one", [asked(text) for text in texts])
    await world.planner().step()
    read = await ordered_lines(world)
    assert [line.index for line in read] == [0, 2, 4, 1, 3, 5]
    assert [line.shared_bytes > 200 for line in read] == [False, True, True, False, True, True]
    # A shard takes four at most, and does not end inside a group that would fit into the next.
    assert [shard.count for shard in await world.jobs.shards(ONE)] == [3, 3]


async def test_a_line_beyond_the_bound_is_not_read_and_comes_last(tmp_path: Path) -> None:
    world = await BatchWorld.open(tmp_path, line_bytes_max=1000)
    long_line = b'"' + b"x" * 5000 + b'"'
    await world.keep_job("one", [line_of(0), long_line, b"no request", line_of(3)])
    await world.planner().step()
    lines = await ordered_lines(world)
    assert [line.line for line in lines] == [line_of(0), line_of(3), None, b"no request"]
    assert [line.index for line in lines] == [0, 3, 1, 2]
    await world.close()


async def test_deterministic_requests_that_ask_the_same_are_duplicates(world: BatchWorld) -> None:
    lines = [
        asked("same", temperature=0),
        asked("same"),
        asked("same", temperature=0),
        asked("same", temperature=0, maxOutputTokens=5),
    ]
    await world.keep_job("one", lines)
    await world.planner().step()
    groups: dict[int, set[int]] = {}
    for line in await ordered_lines(world):
        groups.setdefault(line.group, set()).add(line.index)
    assert sorted(groups.values(), key=min) == [{0, 2}, {1}, {3}]


async def test_a_job_with_too_many_requests_fails_as_a_whole(tmp_path: Path) -> None:
    world = await BatchWorld.open(tmp_path, job_requests_max=3)
    await world.keep_job("one", [line_of(index) for index in range(4)])
    await world.planner().step()
    job = await world.job("one")
    assert job.state is JobState.FAILED
    assert job.error is not None
    assert "3 requests" in job.error.message
    await world.close()


async def test_a_job_whose_input_is_gone_fails_and_the_next_is_planned(world: BatchWorld) -> None:
    await world.keep_job("one", [line_of(0)])
    await world.keep_job("two", [line_of(0)])
    await world.blobs.delete_folder("jobs/one")
    await world.planner().step()
    await world.planner().step()
    assert (await world.job("one")).state is JobState.FAILED
    assert (await world.job("two")).planned


LARGE = 1200  # requests: beyond a head that is small for these tests
HEAD = 12


async def begun(world: BatchWorld) -> None:
    """Keep a large job, in no good order, and begin to plan it."""
    passages = [f"Passage {number:03} " * 8 for number in range(LARGE // 6)]
    lines = [asked(f"{passage} {question}") for question in "abcdef" for passage in passages]
    await world.keep_job("one", lines)
    with (
        mock.patch.object(ordering, "WHOLE_BYTES", 64 * 1024),
        mock.patch.object(ordering, "WHOLE_REQUESTS", 0),
    ):
        await world.planner().step()


async def test_the_first_requests_of_a_large_job_can_be_leased_before_it_is_ordered(
    world: BatchWorld,
) -> None:
    await begun(world)
    job = await world.job("one")
    assert (job.planned, job.counts.total) == (False, HEAD)
    head = await ordered_lines(world)
    assert sorted(line.index for line in head) == list(range(HEAD))
    shard = await world.open_shard()
    await world.orderer().step()
    job = await world.job("one")
    assert (job.planned, job.counts.total) == (True, LARGE)
    whole = await ordered_lines(world)
    assert whole[:HEAD] == head
    assert sorted(line.index for line in whole) == list(range(LARGE))
    # All of a passage's questions but those of the head stand together.
    sharing = sum(line.shared_bytes > 80 for line in whole[HEAD:])
    assert sharing == LARGE - HEAD - LARGE // 6
    assert shard.lease.shard in [
        lease.shard for lease in await world.jobs.renew([shard.lease], shard.lease.expires)
    ]


async def test_planning_again_after_a_crash_writes_the_same(
    world: BatchWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    await begun(world)
    plan = world.jobs.plan
    orders: list[bytes] = []

    async def crash_once(*given: Any) -> bool:
        orders.append(await world.blobs.read(paths.order(ONE), 0, 2**20))
        if len(orders) == 1:
            raise ConnectionError("the server is killed here")
        return await plan(*given)

    monkeypatch.setattr(world.jobs, "plan", crash_once)
    orderer = world.orderer()
    await orderer.step()
    assert not (await world.job("one")).planned
    await orderer.step()  # it was put aside, so that others have their turn
    # Other settings, after the restart, do not move the head that was leased.
    world.settings = Settings(
        models=(ModelSettings(name="echo", engine="echo", lanes=64),), shard_requests_max=4
    )
    await world.orderer().step()
    assert (await world.job("one")).planned
    assert orders[0] == orders[1]


async def test_a_large_job_with_too_many_requests_fails_and_what_runs_is_dropped(
    tmp_path: Path,
) -> None:
    world = await BatchWorld.open(tmp_path, job_requests_max=LARGE - 1)
    await begun(world)
    await world.open_shard()
    await world.orderer().step()
    job = await world.job("one")
    assert job.state is JobState.FAILED
    assert world.dropped == [ONE]
    await world.close()


async def test_a_job_that_cannot_be_sorted_now_is_tried_again(
    world: BatchWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    await begun(world)
    orderer = world.orderer()

    async def fail(_: object) -> None:
        raise ChildEnded("No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("toplu.batch.plan.planner.plan_in_child", fail)
        await orderer.step()
    assert not (await world.job("one")).planned
    await orderer.step()
    await orderer.step()
    assert (await world.job("one")).planned


async def test_a_large_job_that_is_deleted_while_it_is_ordered_holds_up_nobody(
    world: BatchWorld,
) -> None:
    await begun(world)
    await world.blobs.delete_folder("jobs/one")
    await world.orderer().step()
    assert (await world.job("one")).state is JobState.FAILED


async def test_the_ordering_of_a_job_that_is_withdrawn_ends_with_its_process(
    world: BatchWorld,
) -> None:
    await begun(world)
    head = world.blobs._path(paths.head_order(ONE))
    head.unlink()
    os.mkfifo(head)  # the process reads it last, and waits for what is written into it
    orderer = world.orderer()
    async with asyncio.timeout(PATIENCE_SECONDS), asyncio.TaskGroup() as tasks:
        step = tasks.create_task(orderer.step())
        # This opens once the process does.
        with await asyncio.to_thread(head.open, "wb", buffering=0) as pipe:
            pipe.write(b"some of it")
            orderer.drop_job(JobId("another"))
            orderer.drop_job(ONE)
            await step
            with pytest.raises(BrokenPipeError):
                pipe.write(b"nobody reads any more")
    orderer.drop_job(ONE)
    assert not (await world.job("one")).planned
    assert await world.blobs.size(paths.order(ONE)) is None


async def test_a_job_that_cannot_be_planned_for_want_of_space_waits_for_it(
    world: BatchWorld,
) -> None:
    await world.keep_job("one", [line_of(0)])
    planner = world.planner()
    async with read_only(world.database):
        with pytest.raises(OSError, match="Read-only file system"):
            await planner.step()
    assert world.faults.of(ONE) == "Read-only file system"
    assert await world.steps().take(StepKind.PLAN) is not None
    async with read_only(world.database):
        assert await planner.step() == AFTER_A_FAULT
    assert world.faults.of(ONE) == "Read-only file system"
    assert (await world.job("one")).state is JobState.PENDING
    await planner.step()
    assert world.faults.of(ONE) is None
    assert (await world.job("one")).planned


async def test_an_order_that_cannot_be_written_is_a_fault_of_the_disk(world: BatchWorld) -> None:
    await begun(world)
    orderer = world.orderer()
    workshop = world.blobs.workshop

    @contextlib.asynccontextmanager
    async def taken_away() -> AsyncIterator[Path]:
        async with workshop() as folder:
            folder.rmdir()
            yield folder

    with mock.patch.object(world.blobs, "workshop", taken_away):
        await orderer.step()
    assert world.faults.of(ONE) == "No such file or directory"
    await orderer.step()
    await orderer.step()
    assert (await world.job("one")).planned
    assert world.faults.of(ONE) is None
