"""An OpenAI-compatible server that does what a test asks for, most of it wrong."""

import asyncio
import base64
import hashlib
import json
import struct
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Self

from aiohttp import web

Behaviour = Callable[["MisbehavingServer", web.Request, dict[str, Any]], Awaitable[web.Response]]
SECRET = "sk-this-must-not-be-told"


class MisbehavingServer:
    """It answers with the last text, or with vectors; `script` decides how each request is treated.

    The texts of a request for vectors are one text to the script, one on each line.
    """

    engine: Any = "openai_server"
    model: str | None = None  # None: the first that it lists

    def __init__(
        self, script: Callable[[str, int], Behaviour] | None = None, port: int = 0
    ) -> None:
        self.script = script or (lambda _text, _number: right)
        self.port = port
        self.bodies: list[dict[str, Any]] = []
        self.asked: Counter[str] = Counter()  # by text
        self.keys: set[str] = set()
        self.running = 0
        self.running_max = 0
        self.arrived = asyncio.Event()
        self.load: Callable[[], str] | None = None  # as its /metrics tells it; None: it has none
        self.load_looks = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def add_routes(self, router: web.UrlDispatcher) -> None:
        router.add_get("/v1/models", self._list_models)
        router.add_post("/v1/chat/completions", self.answer)
        router.add_post("/v1/embeddings", self.answer)
        router.add_get("/metrics", self._tell_load)

    def text_of(self, body: dict[str, Any]) -> str:
        return "\n".join(body["input"]) if "input" in body else body["messages"][-1]["content"]

    def key_of(self, request: web.Request) -> str:
        return request.headers.get("Authorization", "")

    def right_answer(self, body: dict[str, Any]) -> dict[str, Any]:
        if "input" in body:
            return vectors(body)
        return completion(f"re: {self.text_of(body)}")

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[Self]:
        application = web.Application()
        self.add_routes(application.router)
        runner = web.AppRunner(application, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", self.port, reuse_address=True)
        await site.start()
        self.port = runner.addresses[0][1]
        try:
            yield self
        finally:
            await runner.cleanup()

    async def _list_models(self, _request: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [{"id": "the-model"}]})

    async def _tell_load(self, _request: web.Request) -> web.Response:
        self.load_looks += 1
        return web.Response(status=404) if self.load is None else web.Response(text=self.load())

    async def answer(self, request: web.Request) -> web.Response:
        body = await request.json()
        text = self.text_of(body)
        self.bodies.append(body)
        self.asked[text] += 1
        self.keys.add(self.key_of(request))
        self.running += 1
        self.running_max = max(self.running, self.running_max)
        self.arrived.set()
        try:
            return await self.script(text, self.asked[text])(self, request, body)
        finally:
            self.running -= 1


def completion(text: str, **message: Any) -> dict[str, Any]:
    return {
        "choices": [{"message": {"content": text, **message}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2, "prompt_tokens_details": None},
    }


def vector_of(text: str) -> list[float]:
    """Return numbers that no other text has."""
    return [float(byte + 1) for byte in hashlib.blake2b(text.encode(), digest_size=8).digest()]


def vectors(body: dict[str, Any]) -> dict[str, Any]:
    """Return the right answer, the last vector first, in the encoding that is asked for."""
    found: list[dict[str, Any]] = []
    for index, text in enumerate(body["input"]):
        numbers = vector_of(text)
        coded = base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()
        is_coded = body["encoding_format"] == "base64"
        found.insert(0, {"index": index, "embedding": coded if is_coded else numbers})
    read = sum(len(text.split()) for text in body["input"])
    return {"data": found, "usage": {"prompt_tokens": read, "total_tokens": read}}


async def right(server: MisbehavingServer, _request: web.Request, body: Any) -> web.Response:
    return reply(server.right_answer(body), body)


def reply(answer: dict[str, Any], body: dict[str, Any]) -> web.Response:
    """Return the answer in one piece, or in events if it is asked for as a stream."""
    if not body.get("stream"):
        return web.json_response(answer)
    (choice,) = answer["choices"]
    said = {"choices": [{"delta": choice["message"]}]}
    end = {"choices": [{"delta": {}, "finish_reason": "stop"}], "usage": answer["usage"]}
    events = "".join(f"data: {json.dumps(event)}\n\n" for event in (said, end))
    return web.Response(text=f"{events}data: [DONE]\n\n", content_type="text/event-stream")


async def numbers(_server: MisbehavingServer, _request: web.Request, body: Any) -> web.Response:
    """Answer as a server that knows no encoding."""
    return web.json_response(vectors(body | {"encoding_format": "float"}))


def changed(change: Callable[[dict[str, Any]], Any]) -> Behaviour:
    """Answer rightly, but for what `change` does to it."""

    async def answer(server: MisbehavingServer, _request: Any, body: Any) -> web.Response:
        answer = server.right_answer(body)
        change(answer)
        return web.json_response(answer)

    return answer


def saying(text: str, **message: Any) -> Behaviour:
    async def say(_server: Any, _request: Any, body: Any) -> web.Response:
        return reply(completion(text, **message), body)

    return say


def streaming_events(*events: dict[str, Any]) -> Behaviour:
    """Answer with these events, whatever is asked."""

    async def stream(_server: Any, _request: Any, _body: Any) -> web.Response:
        text = "".join(f"data: {json.dumps(event)}\n\n" for event in events)
        return web.Response(text=text, content_type="text/event-stream")

    return stream


def refusing(status: int, text: str = "no", **headers: str) -> Behaviour:
    async def refuse(_server: Any, _request: Any, _body: Any) -> web.Response:
        body = {"error": {"message": text}}
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.json_response(body, status=status, headers=names)

    return refuse


async def slow(server: MisbehavingServer, request: web.Request, body: Any) -> web.Response:
    await asyncio.sleep(0.05)
    return await right(server, request, body)


async def silent(_server: MisbehavingServer, _request: web.Request, _body: Any) -> web.Response:
    await asyncio.sleep(600)
    raise AssertionError("nobody waits so long")


async def reset(_server: MisbehavingServer, request: web.Request, _body: Any) -> web.Response:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def half(server: MisbehavingServer, request: web.Request, body: Any) -> web.Response:
    """Break off in the middle of the body."""
    whole = json.dumps(server.right_answer(body)).encode()
    response = web.StreamResponse(headers={"Content-Length": str(len(whole))})
    await response.prepare(request)
    await response.write(whole[: len(whole) // 2])
    assert request.transport is not None
    request.transport.close()
    return response  # type: ignore[return-value]


async def no_json(_server: MisbehavingServer, _request: web.Request, _body: Any) -> web.Response:
    return web.Response(text="<html>It works!</html>", content_type="text/html")


async def other_json(_server: MisbehavingServer, _request: web.Request, _body: Any) -> web.Response:
    return web.json_response({"choices": "none", "data": "none"})


async def empty(_server: MisbehavingServer, _request: web.Request, _body: Any) -> web.Response:
    return web.json_response({})
