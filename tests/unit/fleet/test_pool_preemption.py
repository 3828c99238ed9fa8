"""Interactive calls beside a batch, through a whole pool: nothing is lost, nothing sent twice."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from support.fleet.pool_world import World, texts_of, world
from support.fleet.scripted_engine import ScriptedEngine, a_request, captured_logs, eventually
from toplu.errors import Unavailable
from toplu.fleet.lanes.wait_limits import FLEX_RETRY_SECONDS
from toplu.fleet.work import CountTokens, Tier


def engine_of(here: World) -> ScriptedEngine:
    return here.lives[0]


async def test_an_interactive_call_runs_at_once_where_a_batch_call_did() -> None:
    with captured_logs() as entries:
        async with world(hold=True) as here, asyncio.TaskGroup() as calls:
            batch = [calls.create_task(here.ask(str(number))) for number in range(4)]
            await eventually(lambda: here.lives and len(engine_of(here).running) == 4)
            urgent = calls.create_task(here.ask("urgent", interactive=True))
            await eventually(lambda: "urgent" in engine_of(here).running)
            # Two of one lane had to go; one came back behind it, and one on the other lane waits.
            await eventually(lambda: len(engine_of(here).running) == 3)
            engine_of(here).released.set()
        assert await urgent == "re: urgent"
        assert [await call for call in batch] == ["re: 0", "re: 1", "re: 2", "re: 3"]
    preempted = [entry for entry in entries if entry["event"] == "request_preempted"]
    assert len(preempted) == 2
    assert sorted(entry["preemptions"] for entry in preempted) == [0, 1]


async def test_a_stream_preempts_as_well_and_is_whole() -> None:
    async with world(hold=True) as here, asyncio.TaskGroup() as calls:
        batch = [calls.create_task(here.ask(str(number))) for number in range(4)]
        await eventually(lambda: here.lives and len(engine_of(here).running) == 4)
        stream = calls.create_task(here.stream("urgent"))
        await eventually(lambda: "urgent" in engine_of(here).running)
        engine_of(here).released.set()
    assert texts_of(await stream) == ["re: ", "urgent"]
    assert len({await call for call in batch}) == 4


async def test_the_next_calls_find_the_lane_that_the_first_one_had_to_take() -> None:
    with captured_logs() as entries:
        async with world(hold=True) as here, asyncio.TaskGroup() as calls:
            batch = [calls.create_task(here.ask(str(number))) for number in range(4)]
            await eventually(lambda: here.lives and len(engine_of(here).running) == 4)
            for number in range(5):
                name = f"call {number}"
                call = calls.create_task(here.ask(name, interactive=True))
                await eventually(lambda name=name: name in engine_of(here).running)
                call.cancel()
                await asyncio.wait([call])
            engine_of(here).released.set()
            assert len({await each for each in batch}) == 4
    assert sum(entry["event"] == "request_preempted" for entry in entries) == 2


async def test_an_interactive_call_that_is_gone_gives_its_lane_back_to_the_batch() -> None:
    async with world(hold=True) as here, asyncio.TaskGroup() as calls:
        batch = [calls.create_task(here.ask(str(number))) for number in range(4)]
        await eventually(lambda: here.lives and len(engine_of(here).running) == 4)
        urgent = calls.create_task(here.ask("urgent", interactive=True))
        await eventually(lambda: "urgent" in engine_of(here).running)
        urgent.cancel()
        await asyncio.wait([urgent])
        engine_of(here).released.set()
        assert len({await call for call in batch}) == 4


async def test_a_count_does_not_wait_for_a_batch_and_preempts_nobody() -> None:
    async with world(hold=True) as here, asyncio.TaskGroup() as calls:
        for number in range(6):
            calls.create_task(here.ask(str(number)))
        await eventually(lambda: here.lives and len(engine_of(here).running) == 4)
        before = list(engine_of(here).running)
        assert (await here.pool.run(CountTokens(request=a_request("a")))).total_tokens == 1
        assert engine_of(here).running == before
        engine_of(here).released.set()


async def test_a_flex_call_is_preempted_as_a_batch_is_and_answered_afterwards() -> None:
    async with world(hold=True) as here, asyncio.TaskGroup() as calls:
        flex = [calls.create_task(here.ask(str(it), tier=Tier.FLEX)) for it in range(4)]
        await eventually(lambda: here.lives and len(engine_of(here).running) == 4)
        urgent = calls.create_task(here.ask("urgent", interactive=True))
        await eventually(lambda: "urgent" in engine_of(here).running)
        assert not urgent.done()
        engine_of(here).released.set()
        assert len({await call for call in flex}) == 4


async def test_a_flex_call_that_waits_too_long_or_is_one_too_many_may_come_again() -> None:
    async with (
        world(hold=True, flex_waiting_max=1, flex_wait_seconds_max=0.05) as here,
        asyncio.TaskGroup() as calls,
    ):
        running = [calls.create_task(here.ask(str(it), interactive=True)) for it in range(2)]
        await eventually(lambda: here.lives and len(engine_of(here).running) == 2)
        # The place behind the one on the lane that is not reserved is a batch's.
        running.append(calls.create_task(here.ask("behind", tier=Tier.FLEX)))
        await eventually(lambda: here.pool._slots.taken == 3)
        late = [
            calls.create_task(_refusal_of(here.ask(f"flex {it}", tier=Tier.FLEX))) for it in "ab"
        ]
        for call in late:
            refusal = await call
            assert refusal is not None
            assert refusal.retry_seconds == FLEX_RETRY_SECONDS
        # What is full for these is not for others.
        next_call = calls.create_task(here.ask("next", tier=Tier.PRIORITY))
        engine_of(here).released.set()
        assert await next_call == "re: next"
        assert len({await call for call in running}) == 3


async def _refusal_of(asked: Coroutine[Any, Any, str]) -> Unavailable | None:
    try:
        await asked
    except Unavailable as refusal:
        return refusal
    return None


async def test_a_flex_stream_is_whole_beside_calls() -> None:
    async with world(hold=True) as here, asyncio.TaskGroup() as calls:
        streams = [calls.create_task(here.stream("later", Tier.FLEX))]
        await eventually(lambda: here.lives and len(engine_of(here).running) == 1)
        others = [calls.create_task(here.ask(str(it), interactive=True)) for it in range(2)]
        await eventually(lambda: {"0", "1"} <= set(engine_of(here).running))
        engine_of(here).released.set()
        assert texts_of(await streams[0]) == ["re: ", "later"]
        assert len({await call for call in others}) == 2
