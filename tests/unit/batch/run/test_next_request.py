"""The next request: the longest at the end, if the requests say which; a part for idle lanes."""

import json
import math
from collections import defaultdict

import pytest

from support.batch.batch_world import BatchWorld
from support.batch.lanes_world import LanesWorld, asked
from toplu.batch.plan.order import RequestLine
from toplu.batch.run.leased_shard import LeasedShard
from toplu.batch.run.next_request import (
    LINE_BYTES_MAX,
    divide,
    is_last_phase,
    is_scarce,
    longest,
    needs_help,
    output_tokens_asked,
)
from toplu.job import Job, JobId, Lease, Method, Shard
from toplu.labels import LabelSums
from toplu.money import NO_TOKENS


def line_of(index: int, shared_bytes: int = 0, line: bytes = b"") -> RequestLine:
    return RequestLine(
        index=index, number=index + 1, line=line, shared_bytes=shared_bytes, group=index
    )


def asking(config: object, text: str = "why?") -> bytes:
    request = {"contents": [{"parts": [{"text": text}]}], "generationConfig": config}
    return json.dumps({"request": request}).encode()


def leased(job: Job, number: int, lines: list[RequestLine]) -> LeasedShard:
    """Return a shard of the job of which nothing was started."""
    shard = Shard(job=job.id, number=number, first=0, count=len(lines))
    return LeasedShard(
        Lease(job=job, shard=shard, owner="server-1", expires=job.expires),
        lines,
        sealed=(),
        failed=0,
        deduplicated=0,
        usage=NO_TOKENS,
        labels=LabelSums(),
        share_cache=False,
    )


def chosen(spans: list[list[RequestLine]], bytes_of: dict[int, float]) -> int | None:
    found = longest([list(enumerate(span)) for span in spans], lambda it: bytes_of[it.index])
    return None if found is None else spans[found[0]][found[1]].index


@pytest.mark.parametrize(
    ("unstarted", "idle_lanes", "scarce"),
    [(0, 0, False), (1, 0, False), (0, 1, True), (2, 2, True), (3, 2, False)],
)
def test_requests_are_scarce_where_idle_lanes_would_begin_them_all(
    unstarted: int, idle_lanes: int, *, scarce: bool
) -> None:
    assert is_scarce(unstarted, idle_lanes) is scarce


def test_the_last_phase_begins_with_four_requests_for_each_that_runs() -> None:
    assert not is_last_phase(math.inf, streams=2)
    assert not is_last_phase(9, streams=2)
    assert is_last_phase(8, streams=2)


async def test_a_job_needs_help_while_a_shard_has_more_than_its_lane_begins(
    world: BatchWorld,
) -> None:
    one, two = await world.keep_job("one", [b"{}"]), await world.keep_job("two", [b"{}"])
    shards = [leased(one, 0, [line_of(0)]), leased(two, 0, [line_of(0), line_of(1)])]
    assert not needs_help(shards, JobId("one"))
    assert needs_help(shards, JobId("two"))
    assert not needs_help([], JobId("two"))


async def test_the_shard_with_most_to_start_is_divided_first(world: BatchWorld) -> None:
    job = await world.keep_job("one", [b"{}"])
    small = leased(job, 0, [line_of(index) for index in range(2)])
    large = leased(job, 1, [line_of(index) for index in range(2, 6)])
    found = divide([small, large], output_tokens=10)
    assert found is not None
    assert (found[0], len(found[1])) == (large, 2)
    assert (small.unstarted, large.unstarted) == (2, 4)


async def test_a_shard_is_left_whole_where_a_part_would_cost_more_to_read_again(
    world: BatchWorld,
) -> None:
    job = await world.keep_job("one", [b"{}"])
    shared = leased(job, 0, [line_of(index, shared_bytes=10_000) for index in range(4)])
    other = leased(job, 1, [line_of(index) for index in range(4, 6)])
    assert divide([shared], output_tokens=10) is None
    found = divide([shared, other], output_tokens=10)
    assert found is not None
    assert found[0] is other


def test_the_longest_is_found_wherever_it_lies() -> None:
    spans = [[line_of(0), line_of(1)], [line_of(2)], [line_of(3), line_of(4)]]
    assert chosen(spans, {0: 1, 1: 2, 2: 9, 3: 3, 4: 4}) == 2
    assert chosen(spans, {0: 1, 1: 2, 2: 3, 3: 4, 4: 9}) == 4
    assert chosen([[], []], {}) is None


def test_what_is_alike_stays_in_order() -> None:
    assert chosen([[line_of(0, 500), line_of(1)], [line_of(2)]], {0: 7, 1: 7, 2: 7}) == 0


def test_a_prefix_is_left_for_a_longer_answer_only_if_it_is_worth_it() -> None:
    spans = [[line_of(0, 500), line_of(1, 500)], [line_of(2, 400)]]
    assert chosen(spans, {0: 100, 1: 550, 2: 450}) == 0
    assert chosen(spans, {0: 100, 1: 650, 2: 450}) == 1
    assert chosen(spans, {0: 100, 1: 550, 2: 550}) == 2


@pytest.mark.parametrize(
    ("line", "tokens"),
    [
        (asking({"maxOutputTokens": 70}), 70),
        (asking({"max_output_tokens": 70}), 70),
        (asking({"temperature": 0}), None),
        (asking({"maxOutputTokens": 70}, "x" * LINE_BYTES_MAX), None),
        (b"no JSON", None),
        (None, None),
    ],
)
def test_a_request_says_how_long_its_answer_may_be_or_nothing(
    line: bytes | None, tokens: int | None
) -> None:
    assert output_tokens_asked(line_of(0, line=line), Method.GENERATE) == tokens  # type: ignore[arg-type]


def test_a_request_for_a_vector_says_nothing() -> None:
    line = b'{"request": {"content": {"parts": [{"text": "x"}]}}}'
    assert output_tokens_asked(line_of(0, line=line), Method.EMBED) is None


async def test_at_the_end_the_longest_goes_first_wherever_it_lies(world: BatchWorld) -> None:
    lengths = [10, 10, 10, 900, 10, 500, 10, 700]
    await world.keep_job("one", [asked(index, most) for index, most in enumerate(lengths)])
    await world.planner().step()
    rooms = LanesWorld(world, lanes=2)
    async with rooms.running():
        await rooms.until(lambda: len(rooms.pool.begun) == 2)
        await rooms.settle()
        assert rooms.pool.outstanding() == {0: 1, 1: 1}, "none waits behind another"
        for answered in range(1, 7):
            rooms.pool.answer_one(0)
            await rooms.settle_with(begun=2 + answered)
    # The shards of both lanes begin with a short one, or the first was all that was leased.
    begun = [lengths[int(text.removeprefix("text "))] for _, text in rooms.pool.begun]
    assert begun[2:] == sorted(begun[2:], reverse=True)
    assert begun.index(900) < 3


async def test_at_the_end_the_order_stays_where_nothing_tells_the_lengths(
    world: BatchWorld,
) -> None:
    await world.planned_job("one", 4)
    rooms = LanesWorld(world, lanes=2)
    async with rooms.running():
        for answered in range(3):
            await rooms.settle_with(begun=1 + answered)
            rooms.pool.answer_one(next(iter(rooms.pool.outstanding())))
    begun: dict[int, list[str]] = defaultdict(list)
    for lane, text in rooms.pool.begun:
        begun[lane].append(text)
    assert all(texts == sorted(texts) for texts in begun.values())
