"""An interactive call of a model, from its request to its answer.

    open ──▶ check ──▶ admit ──▶ work, while the client is there ──▶ charge ──▶ respond

Every method that asks a model passes these steps; a handler adds the work alone.
"""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from starlette.responses import Response

from toplu.api.gemini.model_names import ModelNames, check_model
from toplu.api.http.disconnects import while_connected
from toplu.api.http.gate import Call
from toplu.api.http.middleware.call_times import MODEL
from toplu.api.http.responses import json_response
from toplu.fleet.work import ChunkListener
from toplu.labels import Labels
from toplu.money import Kind, Usage
from toplu.projects.meter import Meter
from toplu.settings.server import ModelSettings, Settings
from toplu.tracing import names
from toplu.tracing.spans import SPANS
from toplu.wire.gemini.content import GenerateContentRequest
from toplu.wire.gemini.embedding import EmbedContentRequest
from toplu.wire.gemini.labels import check_labels
from toplu.wire.gemini.message import Message
from toplu.wire.gemini.message import Response as Chunk
from toplu.wire.gemini.token_usage import usage_of

Body = TypeVar("Body")
M = TypeVar("M", bound=Message)
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCall(Generic[Body]):
    """One call whose model is known and whose body is read."""

    call: Call
    name: str  # of the model, as the client spelled it
    model: ModelSettings
    body: Body
    meter: Meter

    def check(self, path: str, request: GenerateContentRequest | EmbedContentRequest) -> None:
        """Raise InvalidArgument if the request at `path` names another model, or bad labels."""
        check_model(path, request.model, self.name)
        check_labels(request)

    async def admit(self, *, requests: int = 1) -> None:
        """Count the call in its project's rates, or raise ResourceExhausted."""
        await self.meter.admit(self.call.project, self.model, requests=requests)

    async def charge(
        self, usage: Usage, kind: Kind, *, requests: int = 1, labels: Labels | None = None
    ) -> None:
        """Enter into the ledger what the call used; `kind` decides on its price."""
        SPANS.note(names.INPUT_TOKENS, usage.prompt_tokens)
        SPANS.note(names.CACHED_TOKENS, usage.cached_tokens)
        SPANS.note(names.OUTPUT_TOKENS, usage.output_tokens)
        await self.meter.charge(
            self.call.project, self.model, usage, kind=kind, requests=requests, labels=labels
        )

    async def metered(
        self,
        work: Callable[[], Coroutine[Any, Any, T]],
        usage_of: Callable[[T], Usage],
        *,
        kind: Kind = Kind.INTERACTIVE,
        requests: int = 1,
        labels: Labels | None = None,
    ) -> T:
        """Return what the work returns, once it is charged; nothing is begun before it is admitted.

        Raises Cancelled if the client goes away, which ends the work and costs nothing.
        """
        await self.admit(requests=requests)
        answer = await while_connected(self.call.request, work())
        await self.charge(usage_of(answer), kind, requests=requests, labels=labels)
        return answer

    async def metered_chunks(
        self,
        work: Callable[[ChunkListener], Coroutine[Any, Any, Any]],
        listener: ChunkListener,
        *,
        kind: Kind = Kind.INTERACTIVE,
        labels: Labels | None = None,
    ) -> None:
        """Have the work give its chunks to the listener; it was admitted before, and is charged.

        Raises Cancelled if the client goes away, which ends the work.
        """
        last: Chunk | None = None

        async def send(chunk: Chunk) -> None:
            nonlocal last
            last = chunk
            await listener(chunk)

        try:
            await while_connected(self.call.request, work(send))
        finally:
            # The last chunk has the usage of the whole answer; one that is broken off costs what
            # its client was sent last.
            if last is not None:
                await self.charge(usage_of(last), kind, labels=labels)

    async def respond(self, answer: Any, headers: dict[str, str] | None = None) -> Response:
        """Return the answer as JSON."""
        return await json_response(self.call.request, answer, headers=headers)


class ModelCalls:
    """Opens the interactive calls of all models."""

    def __init__(self, *, settings: Settings, names: ModelNames, meter: Meter) -> None:
        self._settings = settings
        self._names = names
        self._meter = meter

    async def open(self, call: Call, method: str, body_type: type[M]) -> ModelCall[M]:
        """Return a call of the model that its URL names.

        Raises NotFound if no model of that name has the method, InvalidArgument if the body
        cannot be read.
        """
        name = call.path("model")
        model = self._model(call, name, method)
        return self.of_model(call, name, model, await self._read(call, body_type))

    async def open_named(
        self, call: Call, method: str, body_type: type[M], name_in: Callable[[M], str]
    ) -> ModelCall[M]:
        """Return a call of the model that its body names; raises as `open` does."""
        body = await self._read(call, body_type)
        name = name_in(body)
        return self.of_model(call, name, self._model(call, name, method), body)

    def of_model(self, call: Call, name: str, model: ModelSettings, body: Body) -> ModelCall[Body]:
        """Return a call of a model that was found before, with a body that was read before."""
        call.request.scope[MODEL] = model.name
        SPANS.note(names.PROVIDER, names.SERVICE)
        SPANS.note(names.REQUEST_MODEL, name)
        SPANS.note(names.RESPONSE_MODEL, model.name)
        SPANS.note(names.PROJECT, call.project)
        return ModelCall(call=call, name=name, model=model, body=body, meter=self._meter)

    def _model(self, call: Call, name: str, method: str) -> ModelSettings:
        return self._names.require(name, version=call.version, method=method)

    async def _read(self, call: Call, body_type: type[M]) -> M:
        return await call.read(body_type, self._settings.inline_bytes_max)
