"""At the end of all work the longest goes first, if the requests tell which that is."""

import json
from collections import defaultdict

import pytest

from support.batch.batch_world import BatchWorld
from support.batch.lanes_world import LanesWorld, asked
from toplu.batch.plan.order import RequestLine
from toplu.batch.run.longest_first import LINE_BYTES_MAX, longest, output_tokens_asked
from toplu.job import Method


def line_of(index: int, shared_bytes: int = 0, line: bytes = b"") -> RequestLine:
    return RequestLine(
        index=index, number=index + 1, line=line, shared_bytes=shared_bytes, group=index
    )


def asking(config: object, text: str = "why?") -> bytes:
    request = {"contents": [{"parts": [{"text": text}]}], "generationConfig": config}
    return json.dumps({"request": request}).encode()


def chosen(spans: list[list[RequestLine]], bytes_of: dict[int, float]) -> int | None:
    found = longest([list(enumerate(span)) for span in spans], lambda it: bytes_of[it.index])
    return None if found is None else spans[found[0]][found[1]].index


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
