"""Requests that ask the very same run once, and each has a result of its own."""

import json
from dataclasses import dataclass, field
from typing import Any

from support.batch.batch_world import BatchWorld, answer_all, make_durable
from support.store.rows import end_others
from toplu.batch.plan.order import RequestLine
from toplu.batch.run.request_runner import RequestRunner
from toplu.errors import Unavailable
from toplu.fleet.work import Answered
from toplu.job import JobId, JobState
from toplu.money import Usage
from toplu.wire.gemini.content import (
    GenerateContentRequest,
    GenerateContentResponse,
    UsageMetadata,
)

COMPUTED = Usage(prompt_tokens=5, output_tokens=2)


@dataclass
class CountingPool:
    """Answers at once, and counts; the first so many requests fail."""

    failing: int = 0
    lanes: int = 1
    window: int = 2
    copies: bool = True  # whether its answers are right for duplicates
    asked: list[str] = field(default_factory=list)

    async def may_copy(self, _: GenerateContentRequest, **__: Any) -> bool:
        return self.copies

    async def answer(self, request: GenerateContentRequest, **_: Any) -> Answered:
        text = (request.contents or [])[0].parts[0].text
        self.asked.append(text)
        if len(self.asked) <= self.failing:
            raise Unavailable("not now")
        response = GenerateContentResponse(
            candidates=[],
            usage_metadata=UsageMetadata(prompt_token_count=5, total_token_count=7),
            model_version="m",
            response_id=f"id-{len(self.asked)}",
        )
        return Answered.of(response)


def a_line(text: str, key: str, **config: Any) -> bytes:
    request = {"contents": [{"parts": [{"text": text}]}], "generationConfig": config}
    return json.dumps({"key": key, "metadata": {"n": key}, "request": request}).encode()


async def run_through(world: BatchWorld, pool: CountingPool, lines: list[bytes]) -> None:
    await world.keep_job("one", lines)
    await world.planner().step()
    writer = world.writer()
    await answer_all(world, RequestRunner(pool, world.settings), writer)
    await writer.flush()
    await world.assembler().step()


async def test_duplicates_run_once_and_each_has_its_own_result(world: BatchWorld) -> None:
    pool = CountingPool()
    lines = [
        a_line("same", "a", temperature=0),
        a_line("other", "b", temperature=0),
        a_line("same", "c", temperature=0),
    ]
    await run_through(world, pool, lines)
    assert sorted(pool.asked) == ["other", "same"]
    results = await world.output("one")
    assert [line["key"] for line in results] == ["a", "b", "c"]
    assert [line["metadata"] for line in results] == [{"n": key} for key in "abc"]
    assert results[0]["response"]["usageMetadata"] == results[2]["response"]["usageMetadata"]
    assert len({line["response"]["responseId"] for line in results}) == 3
    job = await world.job("one")
    assert (job.state, job.counts.succeeded, job.counts.deduplicated) == (JobState.SUCCEEDED, 3, 1)
    assert job.usage == COMPUTED + COMPUTED


async def test_requests_that_may_be_answered_in_another_way_run_each(world: BatchWorld) -> None:
    pool = CountingPool()
    await run_through(world, pool, [a_line("same", key, temperature=1) for key in "abc"])
    assert len(pool.asked) == 3
    assert (await world.job("one")).counts.deduplicated == 0


async def test_a_failure_is_nobody_elses(world: BatchWorld) -> None:
    pool = CountingPool(failing=1)
    await run_through(world, pool, [a_line("same", key, seed=1) for key in "abcd"])
    assert len(pool.asked) == 2
    results = await world.output("one")
    assert ["error" in line for line in results] == [True, False, False, False]
    counts = (await world.job("one")).counts
    assert (counts.succeeded, counts.failed, counts.deduplicated) == (3, 1, 2)


async def test_a_line_that_names_another_model_gets_its_error(world: BatchWorld) -> None:
    pool = CountingPool()
    lines = [a_line("same", key, temperature=0) for key in "ab"]
    foreign = json.loads(lines[1])
    foreign["request"]["model"] = "models/no-such-model"
    await run_through(world, pool, [lines[0], json.dumps(foreign).encode()])
    results = await world.output("one")
    assert "response" in results[0]
    assert "no-such-model is not the model of the batch" in results[1]["error"]["message"]
    assert results[1]["key"] == "b"


async def test_duplicates_pass_their_own_checks_although_an_older_plan_took_them_for_equal(
    world: BatchWorld,
) -> None:
    lines = [a_line("same", key, temperature=0) for key in "abc"]
    foreign = json.loads(lines[1])
    foreign["request"]["model"] = "models/no-such-model"
    lines[1] = json.dumps(foreign).encode()
    await world.keep_job("one", lines)
    job = await world.job("one")
    duplicates = [
        RequestLine(index=index, number=index + 1, line=line, group=0)
        for index, line in enumerate(lines)
    ]
    runner = RequestRunner(CountingPool(), world.settings)
    (records,) = [group async for group in runner.outcomes(job, duplicates, lane=0)]
    assert [record.succeeded for record in records] == [True, False, True]
    assert [record.is_copy for record in records] == [False, False, True]
    fault = json.loads(records[1].payload)
    assert (fault["key"], fault["metadata"], fault["error"]["code"]) == ("b", {"n": "b"}, 3)


async def test_an_answer_that_may_change_is_nobody_elses(world: BatchWorld) -> None:
    pool = CountingPool(copies=False)
    await run_through(world, pool, [a_line("same", key, temperature=0) for key in "abc"])
    assert len(pool.asked) == 3
    assert (await world.job("one")).counts.deduplicated == 0


async def test_what_was_deduplicated_before_a_crash_is_counted_after_it(world: BatchWorld) -> None:
    await world.keep_job("one", [a_line("same", key, seed=1) for key in "abc"])
    await world.planner().step()
    shard = await world.open_shard()
    (duplicates,) = [shard.spans[0].take()]
    requests = RequestRunner(CountingPool(), world.settings)
    (records,) = [group async for group in requests.outcomes(shard.lease.job, duplicates, lane=0)]
    # Durable but for the last, which was torn off; the database never heard of them.
    await make_durable(shard, world.results, records[:2])
    await end_others(world.jobs, "nobody")
    again = await world.open_shard()
    writer = world.writer()
    writer.note(again)
    await writer.flush()
    counts = (await world.job("one")).counts
    assert (counts.succeeded, counts.deduplicated) == (2, 1)
    ((left,),) = [again.spans[0].take()]
    assert left.index == records[2].index
    assert (await world.jobs.find((await world.job("one")).project, JobId("one"))) is not None
