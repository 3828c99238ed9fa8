"""The adapter of servers that speak this very API: the request goes on as it came.

What is ours of it is put in its place before: files that it names, and contents of a cache. All
else is for the server to judge, and its response for the client to read, but for answers of a form
that the client asked for: these are proved, see `fleet.adapters.response_proof`.
"""

from functools import partial
from typing import Any

import msgspec

from toplu.engines.relay import Relay, RelayedRequest
from toplu.engines.translation.cached_prefix import CachedPrefix
from toplu.fleet.adapters.proved_stream import ProvedStream
from toplu.fleet.adapters.response_proof import (
    ResponseProof,
    asks_for_form,
    read_response_proof,
)
from toplu.fleet.adapters.valid_response import relay_valid
from toplu.fleet.work import (
    Answer,
    Answered,
    Attempt,
    CountPrefix,
    CountTokens,
    KeepPrefix,
    Stream,
    Work,
)
from toplu.settings.server import ModelSettings
from toplu.structured.bounds import SchemaBounds
from toplu.structured.guard.threads import read_schemas
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

    async def read(self, work: Work[Any]) -> Attempt[Relay, Any]:
        match work:
            case Answer():
                asked = _asked(work)
                return partial(self._answer, work, asked, await self._proof_of(asked))
            case Stream():
                asked = _asked(work)
                return partial(self._stream, work, asked, await self._proof_of(asked))
            case CountTokens():
                return partial(self._count_tokens, work, _asked(work))
            case CountPrefix():
                return partial(self._count_prefix, RelayedRequest(_with_question(work.request)))
            case KeepPrefix():
                return self._keep_prefix
            case _:
                raise TypeError(f"{type(work).__name__} is no work for a relay")

    async def forget(self, engine: Relay, cache_id: str) -> None:
        pass

    async def _answer(
        self,
        work: Answer,
        asked: RelayedRequest,
        proof: ResponseProof | None,
        relay: Relay,
        _lane: int,
    ) -> Answered:
        if proof is None:
            return Answered.of(_counted(await relay.generate(asked), work.cached))
        response, discarded = await relay_valid(
            relay, asked.request, proof, attempts_max=self._attempts_max
        )
        return Answered.of(_counted(response, work.cached), discarded=discarded)

    async def _stream(
        self,
        work: Stream,
        asked: RelayedRequest,
        proof: ResponseProof | None,
        relay: Relay,
        _lane: int,
    ) -> None:
        async def send(chunk: FreeForm) -> None:
            await work.send(_counted(chunk, work.cached))

        if proof is None:
            await relay.stream(asked, send)
            return
        proved = ProvedStream(proof, send)
        await relay.stream(asked, proved.hear)
        await proved.end()

    async def _count_tokens(
        self, work: CountTokens, asked: RelayedRequest, relay: Relay, _lane: int
    ) -> FreeForm:
        counted = await relay.count_tokens(asked)
        if work.cached is None:
            return counted
        return counted | _promised(counted["totalTokens"], work.cached)

    async def _count_prefix(self, asked: RelayedRequest, relay: Relay, _lane: int) -> int:
        counted = await relay.count_tokens(asked)
        return int(counted["totalTokens"])

    async def _keep_prefix(self, relay: Relay, _lane: int) -> None:
        pass  # the server keeps what it likes

    async def _proof_of(self, asked: RelayedRequest) -> ResponseProof | None:
        """Return what proves the answer; compiling a schema for it holds up nothing else."""
        if not asks_for_form(asked.request):
            return None
        return await read_schemas(read_response_proof, asked.request, self._bounds)


def _asked(work: Work[Any]) -> RelayedRequest:
    # Without contents of its own it is wrong, whatever stands before them.
    if work.cached is not None and work.request.contents:
        return RelayedRequest(work.cached.joined(work.request))
    return RelayedRequest(work.request)


def _with_question(request: GenerateContentRequest) -> GenerateContentRequest:
    return request if request.contents else msgspec.structs.replace(request, contents=[QUESTION])


def _counted(response: FreeForm, cached: CachedPrefix | None) -> FreeForm:
    """Return the response with the cache among its cached tokens, as its client was promised."""
    usage: Any = response.get("usageMetadata")
    if cached is None or not isinstance(usage, dict):
        return response
    used = usage_of(response)
    if used.cached_tokens >= cached.tokens:
        return response
    return response | {"usageMetadata": usage | _promised(used.prompt_tokens, cached)}


def _promised(prompt_tokens: int, cached: CachedPrefix) -> FreeForm:
    return {"cachedContentTokenCount": min(cached.tokens, prompt_tokens)}
