import asyncio

import pytest

from support.waiting import PATIENCE_SECONDS
from toplu.fleet.embedding.queue import (
    GROUP_CHARACTERS_MAX,
    GROUP_TEXTS_MAX,
    EmbeddingQueue,
    WaitingText,
)

CHARACTERS_READ = 1024


def a_text(text: str) -> WaitingText:
    answered = asyncio.get_running_loop().create_future()
    return WaitingText(text, interactive=False, answered=answered)


def a_queue(*waiting: WaitingText) -> EmbeddingQueue:
    queue = EmbeddingQueue(characters_read=CHARACTERS_READ)
    for each in waiting:
        queue.put(each)
    return queue


async def texts_of(queue: EmbeddingQueue) -> list[str]:
    async with asyncio.timeout(PATIENCE_SECONDS):
        return [waiting.text for waiting in await queue.take()]


async def test_what_waits_together_goes_together():
    queue = a_queue(a_text("b"), a_text("aa"), a_text("c"))
    assert sorted(await texts_of(queue)) == ["aa", "b", "c"]


async def test_what_failed_goes_first_and_with_nobody_else():
    queue = a_queue(a_text("a"))
    queue.put_again([a_text("b"), a_text("c")])
    queue.put_again([a_text("d")])
    assert [await texts_of(queue) for _ in range(3)] == [["b", "c"], ["d"], ["a"]]


async def test_the_oldest_goes_with_those_that_are_about_as_long():
    oldest = a_text("x" * 500)
    others = [a_text("x" * length) for length in range(1, 1000, 3)]
    group = [len(text) for text in await texts_of(a_queue(oldest, *others))]
    assert len(group) * max(group) > 0.9 * GROUP_CHARACTERS_MAX
    assert max(group) - min(group) <= 3 * len(group)
    assert 500 in group


async def test_nobody_waits_for_ever():
    texts = [a_text("x" * (number * 7 % 500)) for number in range(500)]
    queue = a_queue(*texts)
    oldest_taken = await queue.take()
    assert texts[0] in oldest_taken
    seen = len(oldest_taken)
    while seen < 500:
        seen += len(await queue.take())
    assert seen == 500


@pytest.mark.parametrize("length", [0, 1, 100, CHARACTERS_READ, 100 * CHARACTERS_READ])
async def test_a_group_is_bounded_in_number_and_in_cost(length: int):
    group = await texts_of(a_queue(*(a_text("x" * length) for _ in range(400))))
    read = min(length, CHARACTERS_READ)
    assert len(group) == min(GROUP_TEXTS_MAX, GROUP_CHARACTERS_MAX // max(read, 1))


async def test_a_text_of_any_length_goes():
    long = a_text("x" * 2 * GROUP_CHARACTERS_MAX)
    assert [len(text) for text in await texts_of(a_queue(long))] == [2 * GROUP_CHARACTERS_MAX]


async def test_a_text_that_nobody_waits_for_any_more_is_not_sent():
    gone = a_text("gone")
    gone.answered.cancel()
    assert await texts_of(a_queue(gone, a_text("here"))) == ["here"]


async def test_taking_waits_until_there_is_something():
    queue = EmbeddingQueue(characters_read=CHARACTERS_READ)
    async with asyncio.timeout(PATIENCE_SECONDS), asyncio.TaskGroup() as group:
        taking = group.create_task(queue.take())
        await asyncio.sleep(0)
        assert not taking.done()
        queue.put(a_text("late"))
    assert [waiting.text for waiting in taking.result()] == ["late"]
