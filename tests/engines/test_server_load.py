"""A server that says what it has to do is asked by that, and its requests are marked for it."""

import asyncio
from typing import Any

import pytest

from support.engines.misbehaving_server import MisbehavingServer, refusing, right
from support.engines.pool_before_servers import World, world
from support.fleet.scripted_engine import captured_logs
from support.waiting import PATIENCE_SECONDS
from toplu.engines.openai.request_marks import BATCH_PRIORITY, salt_of

MANY = 64


def told(software: str, running: int, waiting: int) -> str:
    names = {
        "vllm": ("num_requests_running", "num_requests_waiting"),
        "sglang": ("num_running_reqs", "num_queue_reqs"),
    }[software]
    numbers = zip(names, (running, waiting), strict=True)
    return "".join(f'{software}:{name}{{engine="0"}} {number}.0\n' for name, number in numbers)


def seated(seats: int) -> tuple[MisbehavingServer, asyncio.Semaphore]:
    """Return a server with so many seats, and what lets a request out of one."""
    leave = asyncio.Semaphore(0)

    async def answer(server: Any, request: Any, body: Any) -> Any:
        await leave.acquire()
        return await right(server, request, body)

    server = MisbehavingServer(lambda *_: answer)
    server.load = lambda: told("vllm", min(server.running, seats), max(0, server.running - seats))
    return server, leave


async def until(condition: Any) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():
            await asyncio.sleep(0.01)


async def test_a_server_is_asked_as_much_as_it_may_be_at_once_and_then_by_its_seats() -> None:
    server, leave = seated(8)
    async with world(server, requests_first=1, requests_max=MANY, load_seconds=0.01) as here:
        async with asyncio.TaskGroup() as group:
            asked = [group.create_task(here.ask(f"q{number}")) for number in range(2 * MANY)]
            await until(lambda: server.running == MANY)
            [known] = here.servers.servers
            await until(lambda: known.limit < 16)
            for _ in range(2 * MANY):
                leave.release()
        assert [task.result() for task in asked] == [f"re: q{n}" for n in range(2 * MANY)]


async def test_a_server_without_figures_is_asked_for_them_once() -> None:
    server = MisbehavingServer()
    async with world(server, load_seconds=0.01) as here:
        await asyncio.gather(*(here.ask(f"q{number}") for number in range(MANY)))
        await asyncio.sleep(0)
        assert server.load_looks == 1
        assert here.servers.servers[0].seats is None


def marks_of(body: dict[str, Any]) -> dict[str, Any]:
    return {name: body[name] for name in ("priority", "cache_salt") if name in body}


async def asked_both_ways(here: World) -> None:
    await here.call(QUESTION, project="team-a")
    await here.call(QUESTION, project="team-a", interactive=True)


QUESTION = {"contents": [{"parts": [{"text": "q"}]}]}
SALT = {"cache_salt": salt_of("team-a")}


@pytest.mark.parametrize(
    ("software", "marks"),
    [
        ("vllm", [SALT | {"priority": BATCH_PRIORITY}, SALT]),
        ("sglang", [SALT, SALT]),
        (None, [{}, {}]),
    ],
)
async def test_requests_are_marked_for_a_server_that_reads_the_marks(
    software: str | None, marks: list[dict[str, Any]]
) -> None:
    server = MisbehavingServer()
    server.load = None if software is None else lambda: told(software, 0, 0)
    async with world(server) as here:
        await asked_both_ways(here)
    assert [marks_of(body) for body in server.bodies] == marks


async def test_a_mark_that_is_refused_is_left_out_from_then_on() -> None:
    async def answer(server: Any, request: Any, body: Any) -> Any:
        refuses = "Got priority 100 but Priority scheduling is not enabled."
        behaviour = refusing(400, refuses) if "priority" in body else right
        return await behaviour(server, request, body)

    server = MisbehavingServer(lambda *_: answer)
    server.load = lambda: told("vllm", 0, 0)
    with captured_logs() as entries:
        async with world(server) as here:
            await asked_both_ways(here)
            await asked_both_ways(here)
    assert [sorted(marks_of(body)) for body in server.bodies] == [
        ["cache_salt", "priority"],
        ["cache_salt"],
        ["cache_salt"],
        ["cache_salt"],
        ["cache_salt"],
    ]
    refused = [entry for entry in entries if entry["event"] == "server_refuses_fields"]
    assert [entry["fields"] for entry in refused] == [["priority"]]


async def test_a_refusal_of_the_request_itself_says_nothing_of_its_marks() -> None:
    server = MisbehavingServer(
        lambda text, _: refusing(400, "no priority for the cache_salt") if text == "bad" else right
    )
    server.load = lambda: told("vllm", 0, 0)
    async with world(server) as here:
        with pytest.raises(Exception, match="no priority"):
            await here.call({"contents": [{"parts": [{"text": "bad"}]}]}, project="team-a")
        await asked_both_ways(here)
    assert marks_of(server.bodies[-2]) == SALT | {"priority": BATCH_PRIORITY}
