"""Calls that take a model: checked here, answered by the worker that has it.

The key, the query, the model's name and the length of the body are the front door's business; all
else is said by the worker, in the same words as if it had been asked itself.
"""

import asyncio
from functools import partial

from starlette.responses import Response
from starlette.routing import Route

from toplu.api.doors.forwarded_call import Doors, ForwardedCall
from toplu.api.gemini.caches import named_model
from toplu.api.gemini.model_names import ModelNames
from toplu.api.gemini.stream import STREAM_FORMS, form_of, in_its_form
from toplu.api.http.gate import Call, Gate, read_body
from toplu.settings.server import Settings
from toplu.wire.gemini import proto_json
from toplu.wire.gemini.cached_content import CachedContent

METHODS = ("generateContent", "countTokens", "embedContent", "batchEmbedContents")
STREAM = "streamGenerateContent"


class ForwardedCalls:
    """Serves every call that takes a model, by handing it to a worker."""

    def __init__(self, *, settings: Settings, names: ModelNames, doors: Doors) -> None:
        self._body_bytes_max = settings.inline_bytes_max
        self._names = names
        self._doors = doors

    def routes(self, gate: Gate) -> list[Route]:
        stream = gate.endpoint(partial(self.forward, STREAM), forms=STREAM_FORMS)
        create_cache = gate.endpoint(self.create_cache)
        path = "/{version:version}/models/{model}:"
        return [
            *(
                Route(
                    f"{path}{method}",
                    gate.endpoint(partial(self.forward, method)),
                    methods=["POST"],
                )
                for method in METHODS
            ),
            Route(f"{path}{STREAM}", in_its_form(stream), methods=["POST"]),
            Route("/{version:version}/cachedContents", create_cache, methods=["POST"]),
        ]

    async def forward(self, method: str, call: Call) -> Response:
        """Have the method of the model in the URL answered."""
        model = self._names.require(call.path("model"), version=call.version, method=method)
        body = await read_body(call.request, self._body_bytes_max)
        doors = await self._doors.of(model.name, body)
        end_of = form_of(call.request).end_of_broken if method == STREAM else None
        return ForwardedCall(doors, call.project, body, end_of=end_of)

    async def create_cache(self, call: Call) -> Response:
        """Have the contents of the body kept by a worker with the model that the body names."""
        body = await read_body(call.request, self._body_bytes_max)
        cache = await asyncio.to_thread(proto_json.read, CachedContent, body)
        name = named_model(cache)
        method = "createCachedContent"
        model = self._names.require(name, version=call.version, method=method)
        return ForwardedCall(await self._doors.of(model.name, body), call.project, body)
