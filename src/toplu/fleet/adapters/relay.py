"""The adapter of servers that speak this very API: the request goes on as it came.

What is ours of it is put in its place before: files that it names, and contents of a cache. All
else is for the server to judge, and its response for the client to read, but for answers of a form
that the client asked for: these are proved, see `fleet.adapters.response_proof`.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec

from toplu.engines.relay import Relay, RelayedRequest
from toplu.engines.translation.cached_prefix import CachedPrefix
from toplu.fleet.adapters.adapter import ChunkListener
from toplu.fleet.adapters.proved_stream import ProvedStream
from toplu.fleet.adapters.response_proof import (
    ResponseProof,
    asks_for_form,
    read_response_proof,
)
from toplu.fleet.adapters.valid_response import relay_valid
from toplu.fleet.attempts.attempts import Work
from toplu.settings.server import ModelSettings
from toplu.structured.bounds import SchemaBounds
from toplu.wire.gemini.content import Content, GenerateContentRequest, Part
from toplu.wire.gemini.message import FreeForm
from toplu.wire.gemini.token_usage import usage_of

# Nobody counts nothing, so what stands before other requests is counted with a question behind it.
QUESTION = Content(role="user", parts=[Part(text="?")])


class RelayAdapter:
    """Passes requests for one model on, and responses back."""

    def __init__(self, model: ModelSettings) -> None:
        self._attempts_max = model.structure_attempts_max
        self._bounds = SchemaBounds.of_model(model)

    async def answering(
        self,
        request: GenerateContentRequest,
        cached: CachedPrefix | None,
        begun: Callable[[], None] | None,  # noqa: ARG002  # a response comes in one
    ) -> Work[Relay, FreeForm]:
        asked = _asked(request, cached)
        proof = await self._proof_of(asked.request)

        async def answer(relay: Relay, _lane: int) -> FreeForm:
            if proof is None:
                return _counted(await relay.generate(asked), cached)
            response = await relay_valid(
                relay, asked.request, proof, attempts_max=self._attempts_max
            )
            return _counted(response, cached)

        return answer

    async def streaming(
        self, request: GenerateContentRequest, cached: CachedPrefix | None, listener: ChunkListener
    ) -> Work[Relay, None]:
        asked = _asked(request, cached)
        proof = await self._proof_of(asked.request)

        async def tell(chunk: FreeForm) -> None:
            await listener(_counted(chunk, cached))

        async def stream(relay: Relay, _lane: int) -> None:
            if proof is None:
                await relay.stream(asked, tell)
                return
            proved = ProvedStream(proof, tell)
            await relay.stream(asked, proved.hear)
            await proved.end()

        return stream

    async def _proof_of(self, request: GenerateContentRequest) -> ResponseProof | None:
        """Return what proves the answer; compiling a schema for it holds up nothing else."""
        if not asks_for_form(request):
            return None
        return await asyncio.to_thread(read_response_proof, request, self._bounds)

    def counting(
        self, request: GenerateContentRequest, cached: CachedPrefix | None
    ) -> Work[Relay, FreeForm]:
        asked = _asked(request, cached)

        async def count(relay: Relay, _lane: int) -> FreeForm:
            counted = await relay.count_tokens(asked)
            return (
                counted if cached is None else counted | _promised(counted["totalTokens"], cached)
            )

        return count

    def measuring(self, request: GenerateContentRequest) -> Work[Relay, int]:
        if not request.contents:
            request = msgspec.structs.replace(request, contents=[QUESTION])
        asked = RelayedRequest(request)

        async def measure(relay: Relay, _lane: int) -> int:
            counted = await relay.count_tokens(asked)
            return int(counted["totalTokens"])

        return measure

    def cached(self, cache_id: str, request: GenerateContentRequest, tokens: int) -> CachedPrefix:
        return CachedPrefix(id=cache_id, request=request, turns=(), tokens=tokens)

    def warming(self, cached: CachedPrefix) -> Work[Relay, None]:  # noqa: ARG002  # none is kept there
        async def keep(_relay: Relay, _lane: int) -> None:
            pass

        return keep

    async def forget(self, engine: Relay, cache_id: str) -> None:
        pass


def _asked(request: GenerateContentRequest, cached: CachedPrefix | None) -> RelayedRequest:
    # Without contents of its own it is wrong, whatever stands before them.
    if cached is not None and request.contents:
        request = cached.joined(request)
    return RelayedRequest(request)


def _counted(response: FreeForm, cached: CachedPrefix | None) -> FreeForm:
    """Return the response with the cache among its cached tokens, as its client was promised."""
    usage: Any = response.get("usageMetadata")
    if cached is None or not isinstance(usage, dict):
        return response
    told = usage_of(response)
    if told.cached_tokens >= cached.tokens:
        return response
    return response | {"usageMetadata": usage | _promised(told.prompt_tokens, cached)}


def _promised(prompt_tokens: int, cached: CachedPrefix) -> FreeForm:
    return {"cachedContentTokenCount": min(cached.tokens, prompt_tokens)}
