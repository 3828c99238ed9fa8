"""Interactive embeddings: one text or several, answered at once by the pool that batches use."""

from functools import partial

import msgspec
from starlette.responses import Response
from starlette.routing import Route

from toplu.api.gemini.model_call import ModelCalls
from toplu.api.http.gate import Call, Gate
from toplu.errors import InvalidArgument
from toplu.fleet.fleet import Fleet
from toplu.wire.gemini.embedding import (
    BatchEmbedContentsRequest,
    BatchEmbedContentsResponse,
    EmbedContentRequest,
    EmbeddingUsage,
)
from toplu.wire.gemini.token_usage import usage_of

REQUESTS_MAX = 100  # of one call, as hosted


class EmbedApi:
    """Serves `models/…:embedContent` and `:batchEmbedContents`."""

    def __init__(self, *, calls: ModelCalls, fleet: Fleet) -> None:
        self._calls = calls
        self._fleet = fleet

    def routes(self, gate: Gate) -> list[Route]:
        return [
            Route(
                "/{version:version}/models/{model}:embedContent",
                gate.endpoint(self.embed),
                methods=["POST"],
            ),
            Route(
                "/{version:version}/models/{model}:batchEmbedContents",
                gate.endpoint(self.embed_all),
                methods=["POST"],
            ),
        ]

    async def embed(self, call: Call) -> Response:
        """Answer with the vector of one text."""
        made = await self._calls.open(call, "embedContent", EmbedContentRequest)
        made.check("EmbedContentRequest", made.body)
        pool = self._fleet.embedding_pool(made.model.name)
        answer = await made.metered(partial(pool.answer, made.body, interactive=True), usage_of)
        return await made.respond(msgspec.structs.replace(answer, token_count=None))

    async def embed_all(self, call: Call) -> Response:
        """Answer with the vectors of several texts; the SDKs send even a single one here."""
        made = await self._calls.open(call, "batchEmbedContents", BatchEmbedContentsRequest)
        requests = made.body.requests or []
        _check_count(requests)
        for index, request in enumerate(requests):
            made.check(f"BatchEmbedContentsRequest.requests[{index}]", request)

        async def embed_together() -> BatchEmbedContentsResponse:
            pool = self._fleet.embedding_pool(made.model.name)
            responses = await pool.answer_all(requests)
            tokens = sum(response.usage_metadata.prompt_token_count for response in responses)
            return BatchEmbedContentsResponse(
                embeddings=[response.embedding for response in responses],
                usage_metadata=EmbeddingUsage(prompt_token_count=tokens),
            )

        answer = await made.metered(embed_together, usage_of, requests=len(requests))
        return await made.respond(answer)


def _check_count(requests: list[EmbedContentRequest]) -> None:
    if not requests:
        raise InvalidArgument("* BatchEmbedContentsRequest.requests: requests is empty\n")
    if len(requests) > REQUESTS_MAX:
        raise InvalidArgument(
            "* BatchEmbedContentsRequest.requests: at most "
            f"{REQUESTS_MAX} requests can be in one batch\n"
        )
