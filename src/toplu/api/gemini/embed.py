"""Interactive embeddings: one text or several, answered at once by the pool that batches use."""

import msgspec
from starlette.responses import Response
from starlette.routing import Route

from toplu.api.gemini.generate import while_connected
from toplu.api.gemini.model_names import ModelNames, check_model
from toplu.api.http.gate import Call, Gate
from toplu.api.http.responses import json_response
from toplu.errors import InvalidArgument
from toplu.fleet.fleet import Fleet
from toplu.projects.meter import Meter
from toplu.settings.server import Settings
from toplu.wire.gemini.embedding import (
    BatchEmbedContentsRequest,
    BatchEmbedContentsResponse,
    EmbedContentRequest,
    EmbeddingUsage,
)
from toplu.wire.gemini.token_usage import usage_of

REQUESTS_MAX = 100  # of one call, as hosted


class EmbedApi:
    """The door to `models/…:embedContent` and `:batchEmbedContents`."""

    def __init__(
        self, *, settings: Settings, names: ModelNames, fleet: Fleet, meter: Meter
    ) -> None:
        self._settings = settings
        self._names = names
        self._fleet = fleet
        self._meter = meter

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
        name = call.path("model")
        model = self._names.require(name, version=call.version, method="embedContent")
        body = await call.read(EmbedContentRequest, self._settings.inline_bytes_max)
        check_model("EmbedContentRequest", body.model, name)
        pool = self._fleet.embedding_pool(model.name)
        await self._meter.admit(call.project, model)
        response = await while_connected(call.request, pool.answer(body, interactive=True))
        await self._meter.charge(call.project, model, usage_of(response))
        return await json_response(
            call.request, msgspec.structs.replace(response, token_count=None)
        )

    async def embed_all(self, call: Call) -> Response:
        """Answer with the vectors of several texts; the SDKs send even a single one here."""
        name = call.path("model")
        model = self._names.require(name, version=call.version, method="batchEmbedContents")
        body = await call.read(BatchEmbedContentsRequest, self._settings.inline_bytes_max)
        requests = body.requests or []
        if not requests:
            raise InvalidArgument("* BatchEmbedContentsRequest.requests: requests is empty\n")
        if len(requests) > REQUESTS_MAX:
            raise InvalidArgument(
                "* BatchEmbedContentsRequest.requests: at most "
                f"{REQUESTS_MAX} requests can be in one batch\n"
            )
        for index, request in enumerate(requests):
            check_model(f"BatchEmbedContentsRequest.requests[{index}]", request.model, name)
        pool = self._fleet.embedding_pool(model.name)
        await self._meter.admit(call.project, model, requests=len(requests))
        responses = await while_connected(call.request, pool.answer_all(requests))
        tokens = sum(response.usage_metadata.prompt_token_count for response in responses)
        answer = BatchEmbedContentsResponse(
            embeddings=[response.embedding for response in responses],
            usage_metadata=EmbeddingUsage(prompt_token_count=tokens),
        )
        await self._meter.charge(call.project, model, usage_of(answer), requests=len(requests))
        return await json_response(call.request, answer)
