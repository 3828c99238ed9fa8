"""Results that come to the client: a call that waits for the next ones, or a stream of events."""

import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack

from starlette.responses import Response

from toplu.api.http.gate import Call
from toplu.api.http.streaming.pieces import Pieces, json_lines
from toplu.batch.results.cursor import Cursor
from toplu.batch.results.following import Following, Given
from toplu.errors import InvalidArgument, TopluError
from toplu.job import JobId
from toplu.settings.server import Settings
from toplu.wire.gemini import message

FOLLOW_QUERY = frozenset({"after", "wait", "order"})
EVENTS = "text/event-stream"
WAIT_SECONDS_MAX = 60
QUIET_SECONDS = 15  # after which a stream says that it is alive
COUNT_HEADER = "X-Toplu-Result-Count"
NEXT_HEADER = "X-Toplu-Next"
ENDED_HEADER = "X-Toplu-Ended"
NUMBER = re.compile(r"[0-9]{1,10}")
SECONDS = re.compile(r"[0-9]{1,3}(\.[0-9]{1,3})?")


class FollowedResults:
    """Answers calls that follow a batch."""

    def __init__(self, *, settings: Settings, following: Following) -> None:
        self._stall_seconds_max = settings.stream_stall_seconds_max
        self._following = following

    def is_asked(self, call: Call) -> bool:
        """Return whether the call is for results as they come."""
        return wants_events(call) or not FOLLOW_QUERY.isdisjoint(call.request.query_params)

    async def answer(self, call: Call) -> Response:
        """Answer with the results that came after a place, or with events to the end."""
        query = call.request.query_params
        text = query.get("after") or ""
        if wants_events(call):
            text = call.request.headers.get("last-event-id") or text
            events = self._events(call, _place_of(text, query.get("order")))
            # A batch that is not there is a 404, not an event.
            first = await anext(events)
            return _event_stream(_led_by(first, events), self._stall_seconds_max)
        place = _place_of(text, query.get("order"))
        wait_seconds = _seconds_of(query.get("wait") or "0")
        async with AsyncExitStack() as stack:
            given = await stack.enter_async_context(self._after(call, place, wait_seconds))
            return json_lines(
                given.pieces,
                stack.pop_all(),
                headers={
                    COUNT_HEADER: str(given.count),
                    NEXT_HEADER: _text_of(given.behind),
                    ENDED_HEADER: str(given.has_ended).lower(),
                },
                stall_seconds_max=self._stall_seconds_max,
            )

    def _after(
        self, call: Call, place: Cursor | int, wait_seconds: float
    ) -> AbstractAsyncContextManager[Given]:
        batch = JobId(call.path("batch"))
        if isinstance(place, int):
            return self._following.in_order(call.project, batch, place, wait_seconds)
        return self._following.after(call.project, batch, place, wait_seconds)

    async def _events(self, call: Call, place: Cursor | int) -> AsyncGenerator[bytes]:
        await self._following.find(call.project, JobId(call.path("batch")))
        yield b":\n\n"
        has_ended = False
        try:
            while not has_ended:
                async with self._after(call, place, QUIET_SECONDS) as given:
                    async for piece in given.pieces:
                        lines = piece.split(b"\n")
                        yield b"".join(b"data: " + line + b"\n\n" for line in lines if line)
                    place, has_ended = given.behind, given.has_ended
                    # Whoever comes back says it, and gets what is behind it.
                    yield b"id: " + _text_of(place).encode() + b"\n\n" if given.count else b":\n\n"
            yield b"event: end\ndata: {}\n\n"
        except TopluError as error:
            yield b"event: error\ndata: " + message.write(error.as_request_error()) + b"\n\n"


def wants_events(call: Call) -> bool:
    """Return whether the client asks for Server-Sent Events."""
    return EVENTS in call.request.headers.get("accept", "")


def _place_of(text: str, order: str | None) -> Cursor | int:
    if order in (None, "", "completion"):
        return Cursor.of_text(text)
    if order != "input":
        raise InvalidArgument('order must be "completion" or "input".')
    if NUMBER.fullmatch(text or "0") is None:
        raise InvalidArgument("after must be a number of requests where order is input.")
    return int(text or "0")


def _text_of(place: Cursor | int) -> str:
    return str(place) if isinstance(place, int) else place.text


def _seconds_of(text: str) -> float:
    if SECONDS.fullmatch(text) is None or float(text) > WAIT_SECONDS_MAX:
        raise InvalidArgument(f"wait must be a number of seconds, {WAIT_SECONDS_MAX} at most.")
    return float(text)


def _event_stream(pieces: AsyncIterator[bytes], stall_seconds_max: float) -> Response:
    headers = {
        "Content-Type": EVENTS,
        "Cache-Control": "no-cache",
        "X-Accel-Buffering": "no",  # else nginx would keep the events until the end
    }
    source = AsyncExitStack()
    return Pieces(pieces, source, headers=headers, stall_seconds_max=stall_seconds_max)


async def _led_by(first: bytes, others: AsyncGenerator[bytes]) -> AsyncIterator[bytes]:
    try:
        yield first
        async for piece in others:
            yield piece
    finally:
        await others.aclose()
