"""The same for the Gemini API: a server that does what a test asks for, most of it wrong."""

import asyncio
import json
from typing import Any

from aiohttp import web

from support.engines.misbehaving_server import Behaviour, MisbehavingServer, vector_of

MODEL = "upstream-1"
METHODS = ["generateContent", "streamGenerateContent", "countTokens", "embedContent"]


def response(text: str, *, ends: bool = True) -> dict[str, Any]:
    """Return a response, with fields that nobody here has heard of."""
    candidate = {"content": {"role": "model", "parts": [{"text": text}]}, "index": 0}
    if ends:
        candidate |= {"finishReason": "RECITATION", "futureField": {"a": [1, None]}}
    return {
        "candidates": [candidate],
        "usageMetadata": {
            "promptTokenCount": 3,
            "candidatesTokenCount": 2,
            "thoughtsTokenCount": 1,
            "totalTokenCount": 6,
            "serviceTier": "standard",
        },
        "modelVersion": "upstream-1-0042",
        "responseId": f"id of {text}",
    }


def candidate(*parts: dict[str, Any], reason: str | None = "STOP", **more: Any) -> dict[str, Any]:
    """Return a candidate with these parts, finished unless there is no reason."""
    ends = {} if reason is None else {"finishReason": reason}
    return {"content": {"role": "model", "parts": list(parts)}, **ends, **more}


def responding(*candidates: Any, **more: Any) -> Behaviour:
    """Answer with these candidates."""

    async def respond(_server: Any, _request: Any, _body: Any) -> web.Response:
        return web.json_response(response("") | {"candidates": list(candidates)} | more)

    return respond


class MisbehavingGemini(MisbehavingServer):
    """It answers for one model, by its name there."""

    engine = "gemini_server"
    model = MODEL

    def __init__(self, *options: Any, **named: Any) -> None:
        super().__init__(*options, **named)
        self.described: dict[str, Any] = {
            "name": f"models/{MODEL}",
            "supportedGenerationMethods": METHODS,
        }
        self.look_status = 200
        self.queries: set[str] = set()
        self.counted: list[dict[str, Any]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1beta"

    def add_routes(self, router: web.UrlDispatcher) -> None:
        router.add_get(f"/v1beta/models/{MODEL}", self._describe)
        router.add_post(f"/v1beta/models/{MODEL}:generateContent", self.answer)
        router.add_post(f"/v1beta/models/{MODEL}:streamGenerateContent", self.answer)
        router.add_post(f"/v1beta/models/{MODEL}:countTokens", self._count)
        router.add_post(f"/v1beta/models/{MODEL}:batchEmbedContents", self.answer)

    def text_of(self, body: dict[str, Any]) -> str:
        if "requests" in body:
            return "\n".join(texts_of(body))
        return str(body["contents"][-1]["parts"][-1].get("text", "no text"))

    def key_of(self, request: web.Request) -> str:
        self.queries.add(request.query_string)
        return request.headers.get("x-goog-api-key", "")

    def right_answer(self, body: dict[str, Any]) -> dict[str, Any]:
        if "requests" in body:
            assert len(body["requests"]) <= 100
            texts = texts_of(body)
            read = sum(len(text.split()) for text in texts)
            return {
                "embeddings": [{"values": vector_of(text), "futureField": 1} for text in texts],
                "usageMetadata": {"promptTokenCount": read},
            }
        return response(f"re: {self.text_of(body)}")

    async def _describe(self, _request: web.Request) -> web.Response:
        return web.json_response(self.described, status=self.look_status)

    async def _count(self, request: web.Request) -> web.Response:
        self.counted.append(await request.json())
        return web.json_response({"totalTokens": 7, "futureField": 1})


def texts_of(body: dict[str, Any]) -> list[str]:
    """Return the texts of a request for vectors."""
    return [request["content"]["parts"][0]["text"] for request in body["requests"]]


def failing(status: int, name: str, text: str = "no", *details: dict[str, Any]) -> Behaviour:
    """Refuse as Google's front end does."""
    error = {"code": status, "message": text, "status": name, "details": list(details)}

    async def fail(_server: Any, _request: Any, _body: Any) -> web.Response:
        return web.json_response({"error": error}, status=status)

    return fail


def retry_info(delay: str) -> dict[str, Any]:
    return {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}


def error_info(reason: str) -> dict[str, Any]:
    return {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason}


def streaming(*events: Any, aborts: bool = False) -> Behaviour:
    """Send the events, each when the one before has gone out; text is sent as it is."""

    async def stream(_server: Any, request: web.Request, _body: Any) -> web.Response:
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await answer.prepare(request)
        for event in events:
            if isinstance(event, asyncio.Event):
                await event.wait()
                continue
            data = event if isinstance(event, str) else json.dumps(event)
            await answer.write(b"data: " + data.encode() + b"\r\n\r\n")
        if aborts:
            assert request.transport is not None
            request.transport.abort()
        return answer  # type: ignore[return-value]

    return stream


GOOGLES_FAULTS = [
    failing(429, "RESOURCE_EXHAUSTED", "later", retry_info("0.01s")),
    failing(503, "UNAVAILABLE"),
    failing(500, "INTERNAL"),
    failing(504, "DEADLINE_EXCEEDED"),
    failing(499, "CANCELLED"),
]
