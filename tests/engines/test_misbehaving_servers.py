"""Faults of servers cost no request its answer, and no two answers get mixed up."""

import asyncio
import random
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from support.engines.misbehaving_gemini import GOOGLES_FAULTS, MisbehavingGemini
from support.engines.misbehaving_server import (
    SECRET,
    Behaviour,
    MisbehavingServer,
    empty,
    half,
    no_json,
    other_json,
    refusing,
    reset,
    right,
    silent,
    slow,
)
from support.engines.pool_before_servers import World, answers_of, right_answers, world
from support.fleet.scripted_engine import captured_logs
from support.waiting import PATIENCE_SECONDS
from toplu.errors import DeadlineExceeded, Internal, InvalidArgument, Unavailable
from toplu.replica import EngineState

ALL_FAULTS: list[Behaviour] = [
    slow,
    refusing(429),
    refusing(429, Retry_After="0"),
    refusing(503),
    refusing(500),
    refusing(502),
    reset,
    half,
    no_json,
    other_json,
    empty,
]

Kind = type[MisbehavingServer]


@pytest.fixture(params=[MisbehavingServer, MisbehavingGemini], ids=["openai", "gemini"])
def kind(request: pytest.FixtureRequest) -> Kind:
    found: Kind = request.param
    return found


@pytest.mark.parametrize("seed", range(3))
async def test_every_request_of_many_gets_its_one_right_answer(kind: Kind, seed: int):
    chance = random.Random(seed)
    faults = [*ALL_FAULTS, *(GOOGLES_FAULTS if kind is MisbehavingGemini else [])]

    def script(_text: str, _number: int) -> Behaviour:
        return chance.choice(faults) if chance.random() < 0.3 else right

    async with world(kind(script)) as here:
        assert await answers_of(here, 200) == right_answers(200)


@pytest.mark.parametrize("fault", [reset, half, no_json, other_json, empty, refusing(500)])
async def test_a_request_that_is_never_answered_whole_has_an_outcome(kind: Kind, fault: Behaviour):
    server = kind(lambda text, _: fault if text == "bad" else right)
    async with world(server, attempts_max=3) as here:
        with pytest.raises(Internal, match="The request was not answered"):
            await here.ask("bad")
        # Sent into a connection that was used before, a reset looks like an idle one's end.
        assert server.asked["bad"] == 3 or (fault is reset and server.asked["bad"] <= 6)
        assert await here.ask("good") == "re: good"


async def test_a_request_that_takes_too_long_each_time_fails(kind: Kind):
    server = kind(lambda *_: silent)
    async with world(server, attempts_max=1, request_seconds_max=0.5) as here:
        with pytest.raises(DeadlineExceeded, match=r"within 0\.5 seconds"):
            await here.ask("bad")


@pytest.mark.parametrize("status", [400, 413, 422])
async def test_the_requests_own_fault_is_returned_once_in_the_servers_words(status: int):
    server = MisbehavingServer(lambda *_: refusing(status, "temperature is too hot"))
    async with world(server) as here:
        with pytest.raises(InvalidArgument, match=r"^temperature is too hot$"):
            await here.ask("bad")
        assert server.asked["bad"] == 1


async def test_a_busy_server_is_left_alone_for_as_long_as_it_wishes(kind: Kind):
    moments: list[float] = []

    def script(_text: str, number: int) -> Behaviour:
        moments.append(asyncio.get_running_loop().time())
        return refusing(429, Retry_After="1") if number == 1 else right

    async with world(kind(script)) as here:
        assert await here.ask("a") == "re: a"
    # As it said, and neither the pause of a breaker nor that of a look (10 seconds).
    assert 0.95 < moments[1] - moments[0] < 10


async def test_while_a_server_stays_busy_calls_give_up_and_batches_wait(kind: Kind):
    is_busy = True
    server = kind(lambda *_: refusing(429) if is_busy else right)
    async with world(server, patience_seconds=0.5) as here, asyncio.TaskGroup() as group:
        waiting = group.create_task(here.ask("batch"))
        with pytest.raises(Unavailable, match="Please try again later"):
            await here.ask("call", interactive=True)
        assert not waiting.done()
        is_busy = False
        assert await waiting == "re: batch"


async def test_a_server_that_is_not_there_is_waited_for_with_a_reason(kind: Kind):
    server = kind()
    async with server.listening():
        pass
    made = World(server)
    async with asyncio.timeout(PATIENCE_SECONDS), asyncio.TaskGroup() as group:
        run = group.create_task(made.supervisor.run())
        waiting = group.create_task(made.ask("batch"))
        while not made.pool.reason:
            await asyncio.sleep(0.01)
        assert "cannot be reached" in made.pool.reason
        assert str(server.port) not in made.pool.reason
        assert made.supervisor.state is not EngineState.READY
        async with server.listening():
            assert await waiting == "re: batch"
            assert not made.pool.reason
            run.cancel()


async def test_a_server_that_goes_away_is_replaced_by_another(kind: Kind):
    first, second = kind(), kind()
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(second.listening())
        leaving = AsyncExitStack()
        await leaving.enter_async_context(first.listening())
        made = World(first, second)
        async with asyncio.timeout(PATIENCE_SECONDS), asyncio.TaskGroup() as group:
            run = group.create_task(made.supervisor.run())
            assert await answers_of(made, 50) == right_answers(50)
            assert first.bodies
            assert second.bodies
            await leaving.aclose()
            assert await answers_of(made, 50) == right_answers(50)
            run.cancel()


async def test_what_begins_alike_goes_to_one_server(kind: Kind):
    servers = [kind() for _ in range(3)]
    async with world(*servers) as here:
        beginning = "The rules of this server are many. " * 50
        for number in range(12):
            await here.ask(f"{beginning}{number}")
        assert sorted(len(server.bodies) for server in servers) == [0, 0, 12]


@pytest.mark.parametrize("status", [401, 403, 404])
async def test_nobody_else_learns_a_key(tmp_path: Path, status: int):
    key_file = tmp_path / "key"
    key_file.write_text(f"{SECRET}\n")
    is_wrong = True

    def script(text: str, _number: int) -> Behaviour:
        if text == "bad":
            return refusing(400, f"you sent {SECRET}")
        return refusing(status, f"the key {SECRET} is wrong") if is_wrong else right

    server = MisbehavingServer(script)
    with captured_logs() as logs:
        async with world(server, key_file=key_file) as here, asyncio.TaskGroup() as group:
            waiting = group.create_task(here.ask("good"))
            await server.arrived.wait()
            while not here.pool.reason:
                await asyncio.sleep(0.01)
            assert SECRET not in here.pool.reason
            is_wrong = False
            assert await waiting == "re: good"
            with pytest.raises(InvalidArgument) as refusal:
                await here.ask("bad")
            assert SECRET not in refusal.value.message
            assert SECRET not in repr(here.model)
        assert SECRET not in repr(logs)
        assert any(entry["event"] == "server_breaker" for entry in logs)
    assert server.keys == {f"Bearer {SECRET}"}


async def test_a_redirect_is_not_followed():
    elsewhere = MisbehavingServer()
    async with elsewhere.listening():
        to = f"{elsewhere.url}/chat/completions"
        server = MisbehavingServer(
            lambda _, number: refusing(307, Location=to) if number == 1 else right
        )
        async with world(server) as here:
            assert await here.ask("a") == "re: a"
    assert not elsewhere.bodies
