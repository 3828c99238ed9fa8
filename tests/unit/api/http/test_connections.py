"""Connections end when their clients are silent for too long, in a time that the test moves."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from toplu.api.http.connections import Connection, Connections
from toplu.settings.server import Settings

SETTINGS = Settings(header_seconds_max=10.0, stream_stall_seconds_max=60.0, unsent_bytes_max=1000)
HEAD = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"


class Timer:
    def __init__(self, at: float, call: Callable[[], None]) -> None:
        self.at, self.call, self.is_cancelled = at, call, False

    def cancel(self) -> None:
        self.is_cancelled = True


class Loop:
    """As much of a loop as a connection asks for."""

    def __init__(self) -> None:
        self.now = 0.0
        self._timers: list[Timer] = []

    def call_later(self, seconds: float, call: Callable[..., None], *arguments: Any) -> Timer:
        self._timers.append(Timer(self.now + seconds, lambda: call(*arguments)))
        return self._timers[-1]

    def create_task(self, work: Any, **_: Any) -> asyncio.Future[None]:
        work.close()
        return asyncio.get_running_loop().create_future()

    def advance(self, seconds: float) -> None:
        end = self.now + seconds
        while due := [each for each in self._timers if not each.is_cancelled and each.at <= end]:
            timer = min(due, key=lambda each: each.at)
            self._timers.remove(timer)
            self.now = timer.at
            timer.call()
        self.now = end


class Transport(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.unsent = 0
        self.limits: tuple[int, int] | None = None
        self.ended = ""

    def write(self, data: Any) -> None:
        self.written += data

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def set_write_buffer_limits(self, high: Any = None, low: Any = None) -> None:
        self.limits = (high, low)

    def is_closing(self) -> bool:
        return bool(self.ended)

    def close(self) -> None:
        self.ended = self.ended or "closed"

    def abort(self) -> None:
        self.ended = "aborted"

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


async def nothing(_scope: Any, _receive: Any, _send: Any) -> None:
    """Stand for the application: no call gets as far."""


class World:
    """Connections of one server."""

    def __init__(self, count_max: int = 100) -> None:
        self.loop = Loop()
        self.connections = Connections(count_max=count_max)
        self._config = uvicorn.Config(nothing, lifespan="off", log_config=None)
        self._state = ServerState()

    def connect(self) -> tuple[Connection, Transport]:
        loop: Any = self.loop
        connection = Connection(
            self._config,
            self._state,
            {},
            loop,
            settings=SETTINGS,
            connections=self.connections,
        )
        transport = Transport()
        connection.connection_made(transport)
        return connection, transport


@pytest.fixture
async def world() -> World:
    return World()


def answer(connection: Connection) -> None:
    """End the call as uvicorn does."""
    connection.cycle.response_complete = True
    connection.on_response_complete()


async def test_the_time_of_a_head_is_counted_from_its_beginning(world: World) -> None:
    connection, transport = world.connect()
    connection.data_received(HEAD[:5])
    world.loop.advance(9)
    connection.data_received(HEAD[5:9])
    world.loop.advance(0.9)
    assert transport.ended == ""
    world.loop.advance(0.2)
    assert transport.ended == "closed"
    assert b"408" in transport.written


async def test_blank_lines_are_no_head(world: World) -> None:
    connection, transport = world.connect()
    for _ in range(11):
        connection.data_received(b"\r\n")
        world.loop.advance(1)
    assert (transport.ended, transport.written) == ("closed", b"")


async def test_a_call_has_as_long_as_it_takes(world: World) -> None:
    connection, transport = world.connect()
    connection.data_received(HEAD)
    world.loop.advance(1000)
    assert transport.ended == ""
    # The next head has its own time, also if it began while the call was answered.
    connection.data_received(HEAD[:5])
    world.loop.advance(1000)
    answer(connection)
    connection.data_received(HEAD[5:6])
    world.loop.advance(9)
    assert transport.ended == ""
    world.loop.advance(2)
    assert transport.ended == "closed"


async def test_a_client_that_takes_a_little_now_and_then_is_not_dropped(world: World) -> None:
    connection, transport = world.connect()
    assert transport.limits == (1000, 0)
    connection.data_received(HEAD)
    transport.unsent = 2000
    connection.pause_writing()
    for _ in range(5):
        world.loop.advance(59)
        transport.unsent -= 1
        world.loop.advance(1)
        assert transport.ended == ""
    world.loop.advance(59)
    assert transport.ended == ""
    world.loop.advance(1)
    assert transport.ended == "aborted"


async def test_a_client_that_took_everything_in_time_is_not_dropped(world: World) -> None:
    connection, transport = world.connect()
    connection.data_received(HEAD)
    transport.unsent = 2000
    connection.pause_writing()
    world.loop.advance(59)
    connection.resume_writing()
    world.loop.advance(1000)
    assert transport.ended == ""


@pytest.mark.parametrize("ended", ["", "closed"])
async def test_the_end_of_an_answer_is_watched_too(world: World, ended: str) -> None:
    # Less than what pauses writing: nobody hears of it again.
    connection, transport = world.connect()
    connection.data_received(HEAD)
    transport.unsent = 10
    transport.ended = ended
    answer(connection)
    world.loop.advance(61)
    assert transport.ended == "aborted"


async def test_nothing_is_left_of_a_connection_that_was_lost(world: World) -> None:
    connection, transport = world.connect()
    connection.data_received(HEAD)
    connection.pause_writing()
    connection.connection_lost(ConnectionResetError())
    world.loop.advance(1000)
    assert (transport.ended, transport.written) == ("", b"")


async def test_who_was_silent_longest_makes_room() -> None:
    world = World(count_max=3)
    (first, one), (_, two), (third, three) = (world.connect() for _ in range(3))
    first.data_received(b"G")
    third.data_received(HEAD)
    for transport, spared in ((two, one), (one, three)):
        assert spared.ended == ""
        world.connect()[0].data_received(HEAD)
        assert transport.ended == "aborted"
    # All three have calls that are being answered.
    _, refused = world.connect()
    assert refused.ended == "closed"
    assert refused.written.startswith(b"HTTP/1.1 503 ")
    assert three.ended == ""
    answer(third)
    _, admitted = world.connect()
    assert (three.ended, admitted.ended) == ("aborted", "")


async def test_a_call_that_waits_for_its_client_makes_room() -> None:
    world = World(count_max=2)
    (sending, one), (taking, two) = (world.connect() for _ in range(2))
    sending.data_received(b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhell")
    taking.data_received(HEAD)
    taking.pause_writing()
    _, three = world.connect()
    assert (one.ended, two.ended) == ("aborted", "")
    _, four = world.connect()
    assert (two.ended, three.ended) == ("aborted", "")
    assert four.ended == ""


async def test_a_call_whose_body_has_come_keeps_its_place() -> None:
    world = World(count_max=1)
    connection, transport = world.connect()
    connection.data_received(b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhell")
    connection.data_received(b"o")
    connection.pause_writing()
    connection.resume_writing()
    _, refused = world.connect()
    assert (transport.ended, refused.ended) == ("", "closed")
