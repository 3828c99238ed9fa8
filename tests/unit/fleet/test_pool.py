import asyncio
from collections.abc import Awaitable

import pytest

from support.fleet.pool_world import World, texts_of, world
from support.fleet.scripted_engine import (
    a_request,
    captured_logs,
    eventually,
)
from support.waiting import PATIENCE_SECONDS
from toplu.errors import Cancelled, Internal, InvalidArgument, Unavailable
from toplu.fleet.lanes.lanes import SLOTS_PER_LANE
from toplu.fleet.pool import EngineGivenUp, EngineStopped
from toplu.fleet.work import Answer, CountTokens, Stream, Tier
from toplu.wire.gemini.content import GenerateContentRequest, GenerateContentResponse


async def test_a_request_is_answered():
    async with world() as here:
        assert await here.ask("a") == "re: a"
        assert (await here.pool.run(CountTokens(request=a_request("a")))).total_tokens == 1


async def test_a_request_that_breaks_a_rule_does_not_reach_the_engine():
    async with world() as here:
        with pytest.raises(InvalidArgument):
            await here.pool.run(Answer(request=GenerateContentRequest(), tier=Tier.BATCH))
        assert not here.together


async def test_a_window_of_calls_fills_every_lane_with_one_running_and_one_waiting():
    async with world(hold=True) as here, asyncio.TaskGroup() as calls:
        assert here.pool.lanes * SLOTS_PER_LANE == 4
        for number in range(6):
            calls.create_task(here.ask(str(number)))
        await eventually(lambda: here.lives and len(here.lives[0].running) == 4)
        assert here.lives[0].on_lane == {0: 2, 1: 2}
        here.lives[0].released.set()


async def test_an_interactive_call_goes_before_batch_calls_that_wait():
    answered: list[str] = []

    async def ask(here: World, text: str, *, interactive: bool = False) -> None:
        await here.ask(text, interactive=interactive)
        answered.append(text)

    async with world(hold=True) as here, asyncio.TaskGroup() as calls:
        for number in range(6):
            calls.create_task(ask(here, str(number)))
        await eventually(lambda: here.lives and len(here.lives[0].running) == 4)
        calls.create_task(ask(here, "urgent", interactive=True))
        await asyncio.sleep(0)
        here.lives[0].released.set()
    assert answered.index("urgent") < answered.index("4")


async def test_too_many_interactive_calls_are_refused():
    async with world(interactive_waiting_max=2) as here, asyncio.TaskGroup() as calls:
        here.may_start.clear()
        for number in range(2):
            calls.create_task(here.ask(str(number), interactive=True))
        await asyncio.sleep(0)
        with pytest.raises(Unavailable, match=r"^The model is overloaded\. Please try again"):
            await here.ask("one more", interactive=True)
        here.may_start.set()


async def test_an_interactive_call_does_not_wait_for_ever_for_an_engine():
    async with world(request_seconds_max=0.01) as here:
        here.may_start.clear()
        with pytest.raises(Unavailable, match="Please try again later"):
            await here.ask("a", interactive=True)
        here.may_start.set()
        assert await here.ask("b", interactive=True) == "re: b"


async def test_calls_to_an_engine_that_was_given_up_fail_with_the_reason():
    async with world(starts=False, engine_start_attempts_max=2) as here:
        for interactive in (True, False):
            with pytest.raises(EngineGivenUp, match="does not start: no such model"):
                await here.ask("a", interactive=interactive)


async def test_when_the_fleet_stops_what_waits_has_no_outcome():
    async with asyncio.timeout(PATIENCE_SECONDS), asyncio.TaskGroup() as group:
        here = World()
        here.may_start.clear()
        run = group.create_task(here.supervisor.run())
        calls = [
            group.create_task(outcome_of(here.ask("a", interactive=interactive)))
            for interactive in (True, False)
        ]
        await asyncio.sleep(0)
        run.cancel()
        for call in calls:
            assert isinstance(await call, EngineStopped)


async def outcome_of(work: Awaitable[object]) -> object:
    try:
        return await work
    except Unavailable as error:
        return error


async def test_innocent_requests_are_answered_after_a_crash_and_the_guilty_one_is_condemned():
    with captured_logs() as entries:
        async with world() as here:
            texts = ["poison", "a", "b", "c", "d", "e"]
            results = await asyncio.gather(*map(here.ask, texts), return_exceptions=True)
    guilty = results.pop(texts.index("poison"))
    assert results == ["re: a", "re: b", "re: c", "re: d", "re: e"]
    assert isinstance(guilty, Internal)
    assert guilty.message == "The engine crashed 3 times on this request."
    assert len(here.lives) == 4
    condemned = [entry["label"] for entry in entries if entry["event"] == "request_condemned"]
    suspects = {entry["label"] for entry in entries if entry["event"] == "request_suspected"}
    alone = {entry["label"] for entry in entries if entry["event"] == "request_runs_alone"}
    assert condemned == ["poison"]
    assert suspects == alone == {"a", "b", "poison", "c"}


async def test_a_suspect_runs_alone():
    async with world() as here:
        await asyncio.gather(
            *(here.ask(text) for text in ("poison", "a", "b", "c", *"defghijk")),
            return_exceptions=True,
        )
    first_life, *later = here.lives
    assert frozenset({"a", "b", "poison", "c"}) in first_life.together
    for life in later:
        for calls in life.together:
            if calls & {"a", "b", "poison", "c"}:
                assert len(calls) == 1


async def test_two_guilty_requests_are_both_found():
    async with world() as here:
        texts = ["poison 1", "a", "poison 2", "b"]
        results = await asyncio.gather(*map(here.ask, texts), return_exceptions=True)
    assert [type(result) for result in results] == [Internal, str, Internal, str]
    assert len(here.lives) == 6  # one crash together, two alone for each, and the last life


async def test_a_cancelled_call_gives_back_its_place():
    async with world(hold=True) as here, asyncio.TaskGroup() as calls:
        tasks = [calls.create_task(here.ask(str(number))) for number in range(7)]
        await eventually(lambda: here.lives and len(here.lives[0].running) == 4)
        for task in tasks[:6]:  # four in flight and two that wait
            task.cancel()
        await eventually(lambda: here.lives[0].running == ["6"])
        here.lives[0].released.set()
        assert await tasks[6] == "re: 6"
        assert here.pool._slots.taken == 0
        assert here.pool._attempts._quarantine._inside == 0


async def test_a_batch_call_has_no_outcome_when_the_server_stops():
    async with asyncio.TaskGroup() as group:
        async with world(hold=True) as here:
            call = group.create_task(outcome_of(here.ask("a")))
            await eventually(lambda: here.lives and here.lives[0].running)
        assert here.lives[0].stopped
        assert isinstance(await call, EngineStopped)
        with pytest.raises(EngineStopped):
            await here.ask("b", interactive=True)


async def test_a_stream_is_the_pieces_and_then_the_rest():
    async with world() as here:
        first, last = await here.stream("a")
    assert [chunk.candidates[0].finish_reason for chunk in (first, last)] == [None, "STOP"]
    assert texts_of([first, last]) == ["re: ", "a"]
    assert first.response_id == last.response_id


async def test_an_engine_that_dies_before_the_first_piece_costs_the_stream_nothing():
    async with world() as here, asyncio.TaskGroup() as calls:
        condemned = calls.create_task(fail(here.ask("poison")))
        assert texts_of(await here.stream("a")) == ["re: ", "a"]
        await condemned
    assert here.lives[0].on_lane.total() == 2  # the stream was in the engine that died


async def test_an_engine_that_dies_after_the_first_piece_ends_the_stream():
    async with world() as here:
        with pytest.raises(Unavailable, match="in the middle of the answer"):
            await here.stream("late poison")
        assert texts_of(here.chunks) == ["re: "]
        assert await here.ask("b") == "re: b"
    assert len(here.lives) == 2


async def test_a_stream_that_brings_every_engine_down_is_condemned():
    async with world() as here:
        with pytest.raises(Internal, match="crashed 3 times on this request"):
            await here.stream("poison")
        assert here.chunks == []


async def test_a_listener_that_is_gone_gives_back_the_place():
    async def refuse(_chunk: GenerateContentResponse) -> None:
        raise Cancelled("gone")

    async with world() as here:
        with pytest.raises(Cancelled):
            await here.pool.run(Stream(request=a_request("a"), listener=refuse))
        assert here.pool._slots.taken == 0
        assert here.pool._attempts._quarantine._inside == 0
        assert len(here.lives) == 1


async def fail(call: Awaitable[str]) -> None:
    with pytest.raises(Internal):
        await call


async def test_a_batch_call_tells_when_its_answer_begins():
    begun: list[str] = []
    async with world() as here:
        answered = await here.pool.run(
            Answer(request=a_request("a"), tier=Tier.BATCH, begun=lambda: begun.append("a"))
        )
        assert texts_of([answered.response]) == ["re: a"]
    assert begun == ["a"]
