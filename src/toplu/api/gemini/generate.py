"""Interactive calls: answered at once, by the same pipeline as a batch line."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from toplu.api.gemini.model_names import ModelNames, check_model
from toplu.api.gemini.stream import Listener, StreamedAnswer, in_its_form
from toplu.api.http.gate import Call, Gate
from toplu.api.http.responses import json_response
from toplu.caches.library import CacheLibrary
from toplu.errors import Cancelled, InvalidArgument
from toplu.files.attachments import Attachments
from toplu.fleet.fleet import Fleet
from toplu.projects.meter import Meter
from toplu.settings.server import Settings
from toplu.wire.gemini.content import (
    CountTokensRequest,
    GenerateContentRequest,
)
from toplu.wire.gemini.labels import check_labels
from toplu.wire.gemini.message import Response as Answer
from toplu.wire.gemini.token_usage import usage_of

STREAM_FORMS = frozenset({"json", "sse"})

T = TypeVar("T")


class GenerateApi:
    """The door to `models/…:generateContent`, `:streamGenerateContent` and `:countTokens`."""

    def __init__(
        self,
        *,
        settings: Settings,
        names: ModelNames,
        fleet: Fleet,
        attachments: Attachments,
        caches: CacheLibrary,
        meter: Meter,
    ) -> None:
        self._settings = settings
        self._caches = caches
        self._attachments = attachments
        self._names = names
        self._fleet = fleet
        self._meter = meter

    def routes(self, gate: Gate) -> list[Route]:
        return [
            Route(
                "/{version:version}/models/{model}:generateContent",
                gate.endpoint(self.generate),
                methods=["POST"],
            ),
            Route(
                "/{version:version}/models/{model}:streamGenerateContent",
                in_its_form(gate.endpoint(self.stream, forms=STREAM_FORMS)),
                methods=["POST"],
            ),
            Route(
                "/{version:version}/models/{model}:countTokens",
                gate.endpoint(self.count_tokens),
                methods=["POST"],
            ),
        ]

    async def generate(self, call: Call) -> Response:
        """Answer one request; a client that goes away stops the work."""
        name = call.path("model")
        model = self._names.require(name, version=call.version, method="generateContent")
        body = await call.read(GenerateContentRequest, self._settings.inline_bytes_max)
        check_model("GenerateContentRequest", body.model, name)
        check_labels(body)
        pool = self._fleet.pool(model.name)
        resolve = self._attachments.of_project(call.project)
        cached = await self._caches.of_request(body, project=call.project, model=name)
        await self._meter.admit(call.project, model)
        response = await while_connected(
            call.request, pool.answer(body, interactive=True, resolve=resolve, cached=cached)
        )
        await self._meter.charge(call.project, model, usage_of(response), labels=body.labels)
        return await json_response(call.request, response)

    async def stream(self, call: Call) -> Response:
        """Answer one request in chunks, as the engine makes them."""
        name = call.path("model")
        model = self._names.require(name, version=call.version, method="streamGenerateContent")
        body = await call.read(GenerateContentRequest, self._settings.inline_bytes_max)
        check_model("GenerateContentRequest", body.model, name)
        check_labels(body)
        pool = self._fleet.pool(model.name)
        resolve = self._attachments.of_project(call.project)
        cached = await self._caches.of_request(body, project=call.project, model=name)
        await self._meter.admit(call.project, model)

        async def work(listener: Listener) -> None:
            told: Answer | None = None

            async def tell(chunk: Answer) -> None:
                nonlocal told
                told = chunk
                await listener(chunk)

            try:
                await while_connected(
                    call.request, pool.stream(body, tell, resolve=resolve, cached=cached)
                )
            finally:
                # The last chunk has the usage of the whole answer; one that is broken off costs
                # what its client was told last.
                if told is not None:
                    await self._meter.charge(
                        call.project, model, usage_of(told), labels=body.labels
                    )

        return StreamedAnswer(
            call.request, work, stall_seconds_max=self._settings.stream_stall_seconds_max
        )

    async def count_tokens(self, call: Call) -> Response:
        """Answer with the length of the prompt as the model would read it."""
        name = call.path("model")
        model = self._names.require(name, version=call.version, method="countTokens")
        body = await call.read(CountTokensRequest, self._settings.inline_bytes_max)
        if (body.contents is None) == (body.generate_content_request is None):
            raise InvalidArgument(
                "* CountTokensRequest: exactly one of contents and generate_content_request "
                "must be set\n"
            )
        request = body.generate_content_request or GenerateContentRequest(contents=body.contents)
        check_model("CountTokensRequest.generate_content_request", request.model, name)
        check_labels(request)
        pool = self._fleet.pool(model.name)
        resolve = self._attachments.of_project(call.project)
        cached = await self._caches.of_request(request, project=call.project, model=name)
        count = await while_connected(
            call.request, pool.count_tokens(request, resolve=resolve, cached=cached)
        )
        return await json_response(call.request, count)


async def while_connected(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """Return what the work returns; cancel it if the client goes away first."""

    async def watch() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass
        working.cancel()

    try:
        async with asyncio.TaskGroup() as group:
            working = group.create_task(work)
            watching = group.create_task(watch())
            working.add_done_callback(lambda _: watching.cancel())
    except ExceptionGroup as group_error:
        raise group_error.exceptions[0] from None
    if working.cancelled():
        raise Cancelled("The client closed the connection.")
    return working.result()
