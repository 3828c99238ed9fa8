"""Calls that a model answers: chat and text completions, streamed or not, and embeddings.

body ── endpoint.read ──▶ requests of the core ──▶ pool ──▶ responses ── endpoint.write ──▶ body
"""

import asyncio
from collections.abc import Coroutine
from functools import partial
from typing import Any

import msgspec
from starlette.responses import Response
from starlette.routing import Route

from toplu.api.gemini.model_call import ModelCall, ModelCalls
from toplu.api.http.gate import READ_IN_THREAD_FROM_BYTES, Call, read_body
from toplu.api.http.streaming.streamed_answer import StreamedAnswer
from toplu.api.openai.endpoints import ENDPOINTS, Endpoint
from toplu.api.openai.gate import PREFIX, OpenaiGate
from toplu.api.openai.models import OpenaiModels
from toplu.api.openai.translation.asked import Asked
from toplu.clock import Clock
from toplu.files.attachments import Attachments
from toplu.fleet.fleet import Fleet
from toplu.fleet.work import Answer, Answered, ChunkListener, Stream, Tier
from toplu.job import Method
from toplu.money import Usage, total
from toplu.settings.server import Settings
from toplu.wire.gemini.content import GenerateContentRequest
from toplu.wire.gemini.embedding import EmbedContentRequest
from toplu.wire.gemini.message import Response as CoreResponse
from toplu.wire.openai.message import FreeForm, UnsupportedParameter


class OpenaiModelCalls:
    """Serves the endpoints that ask a model."""

    def __init__(
        self,
        *,
        settings: Settings,
        clock: Clock,
        calls: ModelCalls,
        models: OpenaiModels,
        fleet: Fleet,
        attachments: Attachments,
    ) -> None:
        self._body_bytes_max = settings.inline_bytes_max
        self._stall_seconds_max = settings.stream_stall_seconds_max
        self._clock = clock
        self._calls = calls
        self._models = models
        self._fleet = fleet
        self._attachments = attachments

    def routes(self, gate: OpenaiGate) -> list[Route]:
        return [
            Route(
                PREFIX + endpoint.path,
                gate.endpoint(partial(self.answer, endpoint)),
                methods=["POST"],
            )
            for endpoint in ENDPOINTS
        ]

    async def answer(self, endpoint: Endpoint, call: Call) -> Response:
        """Answer one body; a client that goes away stops the work."""
        body = await read_body(call.request, self._body_bytes_max)
        if len(body) < READ_IN_THREAD_FROM_BYTES:
            asked = endpoint.read(body)
        else:
            asked = await asyncio.to_thread(endpoint.read, body)
        model = self._models.require(asked.form.model, endpoint.method)
        made = self._calls.of_model(call, asked.form.model, model, asked)
        if asked.streams:
            return await self._stream(endpoint, made)
        work = self._embed if endpoint.method is Method.EMBED else self._generate
        answered = await made.metered(
            partial(work, made),
            _usage_of_all,
            kind=_tier_of(made).kind,
            requests=len(asked.requests),
        )
        responses = [_in_json(each.response) for each in answered]
        written = endpoint.write(responses, asked.form, self._now())
        return await made.respond(written, headers=await _rate_headers(made))

    async def _generate(self, made: ModelCall[Asked]) -> list[Answered]:
        (request,) = made.body.requests
        assert isinstance(request, GenerateContentRequest), "its endpoint generates"
        project = made.call.project
        work = Answer(
            request=request,
            tier=_tier_of(made),
            resolve=self._attachments.of_project(project),
            project=project,
        )
        return [await self._fleet.pool(made.model.name).run(work)]

    async def _embed(self, made: ModelCall[Asked]) -> list[Answered]:
        requests = [each for each in made.body.requests if isinstance(each, EmbedContentRequest)]
        responses = await self._fleet.embedding_pool(made.model.name).answer_all(requests)
        return [Answered.of(response) for response in responses]

    async def _stream(self, endpoint: Endpoint, made: ModelCall[Asked]) -> Response:
        if endpoint.chunks is None:
            raise UnsupportedParameter("stream")
        chunks = endpoint.chunks(made.body.form, created=self._now())
        await made.admit()

        async def send_chunks(listener: ChunkListener) -> None:
            async def turn(chunk: CoreResponse) -> None:
                for each in chunks.turn(_in_json(chunk)):
                    await listener(each)  # type: ignore[arg-type]  # a message of this wire

            work = partial(self._run_stream, made)
            await made.metered_chunks(work, turn, kind=_tier_of(made).kind)
            for each in chunks.end():
                await listener(each)  # type: ignore[arg-type]

        return StreamedAnswer(
            made.call.request,
            send_chunks,
            endpoint.stream_form,
            stall_seconds_max=self._stall_seconds_max,
        )

    def _run_stream(
        self, made: ModelCall[Asked], listener: ChunkListener
    ) -> Coroutine[Any, Any, Any]:
        (request,) = made.body.requests
        assert isinstance(request, GenerateContentRequest), "its endpoint generates"
        project = made.call.project
        work = Stream(
            request=request,
            tier=_tier_of(made),
            listener=listener,
            resolve=self._attachments.of_project(project),
            project=project,
        )
        return self._fleet.pool(made.model.name).run(work)

    def _now(self) -> int:
        return int(self._clock.now().timestamp())


async def _rate_headers(made: ModelCall[Asked]) -> dict[str, str]:
    """Return what is left of the project's rates, as OpenAI's API says it; nothing: it has none."""
    headers: dict[str, str] = {}
    for it in await made.meter.standing(made.call.project, made.model):
        headers |= {
            f"x-ratelimit-limit-{it.of}": str(it.limit),
            f"x-ratelimit-remaining-{it.of}": str(it.left),
            f"x-ratelimit-reset-{it.of}": f"{it.full_after:.3f}s",
        }
    return headers


def _tier_of(made: ModelCall[Asked]) -> Tier:
    request = made.body.requests[0]
    if isinstance(request, GenerateContentRequest):
        return Tier.of_call(request.service_tier)
    return Tier.STANDARD


def _usage_of_all(answered: list[Answered]) -> Usage:
    return total(each.usage for each in answered)


def _in_json(response: CoreResponse) -> FreeForm:
    """Return a response of the core in its JSON form, which relayed ones have already."""
    if isinstance(response, dict):
        return response
    found: FreeForm = msgspec.to_builtins(response)
    return found
