"""The events of a page: one stream each, with what has changed of it, once a second at most."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import structlog
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from toplu.api.dashboard.gate import PageGate, Visit
from toplu.api.dashboard.pages.batches import BatchPages
from toplu.api.dashboard.pages.overview import Overview
from toplu.api.dashboard.rendering import HEADERS, fill
from toplu.api.dashboard.visitor import Visitor
from toplu.errors import NotFound, TopluError, Unavailable

log = structlog.get_logger()

SECONDS = 1.0
LISTENERS_MAX = 256
SILENCE_ROUNDS = 15  # then something is sent, or a proxy would close the stream


class LivePages:
    """Handlers of streams."""

    def __init__(
        self,
        gate: PageGate,
        *,
        overview: Overview,
        batches: BatchPages,
        is_draining: Callable[[], bool],
    ) -> None:
        self._gate = gate
        self._overview = overview
        self._batches = batches
        self._is_draining = is_draining
        self._listeners = 0

    def routes(self) -> list[Route]:
        return [
            Route("/ui/events", self._gate.page(self.of_overview), methods=["GET"]),
            Route("/ui/events/{batch}", self._gate.page(self.of_batch), methods=["GET"]),
        ]

    async def of_overview(self, visit: Visit) -> Response:
        """Send the parts of the first page."""

        async def parts(visitor: Visitor) -> dict[str, str]:
            points = list(await self._overview.points())[-1:]
            return await self._overview.parts(visitor) | {"speed": json.dumps(points)}

        return self._stream(visit, parts)

    async def of_batch(self, visit: Visit) -> Response:
        """Send the part of one batch."""
        batch = visit.path("batch")
        await self._batches.parts(visit.visitor, batch)  # NotFound is said before a stream
        return self._stream(visit, lambda visitor: self._batches.parts(visitor, batch))

    def _stream(self, visit: Visit, parts: Callable[[Visitor], Any]) -> Response:
        if self._listeners >= LISTENERS_MAX:
            raise Unavailable("Too many pages are open at the moment.")
        return StreamingResponse(
            self._events(visit, parts),
            media_type="text/event-stream",
            headers=HEADERS | {"X-Accel-Buffering": "no"},
        )

    async def _events(self, visit: Visit, parts: Callable[[Visitor], Any]) -> AsyncIterator[str]:
        self._listeners += 1
        try:
            sent: dict[str, str] = {}
            silent = 0
            while not self._is_draining():
                visitor = await self._gate.sessions.visitor_of(visit.request)
                if visitor is None:
                    yield _event("signed-out", fill("parts/signed_out.html"))
                    return
                changed = await self._changed(visitor, parts, sent)
                sent |= changed
                silent = 0 if changed else silent + 1
                for name, text in changed.items():
                    yield _event(name, text)
                if silent >= SILENCE_ROUNDS:
                    silent = 0
                    yield ":\n\n"
                await asyncio.sleep(SECONDS)
        except NotFound:
            yield _event("signed-out", fill("parts/gone.html"))
        finally:
            self._listeners -= 1

    async def _changed(
        self, visitor: Visitor, parts: Callable[[Visitor], Any], sent: dict[str, str]
    ) -> dict[str, str]:
        try:
            found: dict[str, str] = await parts(visitor)
        except NotFound:
            raise
        except (TopluError, OSError) as error:
            log.warning("page_not_read", reason=str(error))
            return {}
        return {name: text for name, text in found.items() if sent.get(name) != text}


def _event(name: str, text: str) -> str:
    data = "".join(f"data: {line}\n" for line in text.splitlines() or [""])
    return f"event: {name}\n{data}\n"
