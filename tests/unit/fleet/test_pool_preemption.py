"""Interactive calls beside a batch, through a whole pool: nothing is lost, nothing sent twice."""

import asyncio

from support.fleet.pool_world import World, texts_of, world
from support.fleet.scripted_engine import ScriptedEngine, a_request, captured_logs, eventually
from toplu.fleet.work import CountTokens


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
