"""Calls that take a model: checked here, answered by the worker that has it.

The key, the model's name and the length of the body are the front door's business; all else is
said by the worker.
"""

from functools import partial

from starlette.responses import Response
from starlette.routing import Route

from toplu.api.doors.forwarded_call import Doors, ForwardedCall
from toplu.api.http.gate import Call, read_body
from toplu.api.openai.endpoints import ENDPOINTS, Endpoint
from toplu.api.openai.gate import PREFIX, OpenaiGate
from toplu.api.openai.models import OpenaiModels
from toplu.settings.server import Settings
from toplu.wire.openai.message import Message, read


class _Addressed(Message, frozen=True, kw_only=True):
    """The part of a body that says who answers it."""

    model: str
    stream: bool | None = None


class OpenaiForwardedCalls:
    """Serves every call that takes a model, by handing it to a worker."""

    def __init__(self, *, settings: Settings, models: OpenaiModels, doors: Doors) -> None:
        self._body_bytes_max = settings.inline_bytes_max
        self._models = models
        self._doors = doors

    def routes(self, gate: OpenaiGate) -> list[Route]:
        return [
            Route(
                PREFIX + endpoint.path,
                gate.endpoint(partial(self.forward, endpoint)),
                methods=["POST"],
            )
            for endpoint in ENDPOINTS
        ]

    async def forward(self, endpoint: Endpoint, call: Call) -> Response:
        """Have the body answered by a worker with its model."""
        body = await read_body(call.request, self._body_bytes_max)
        addressed = read(_Addressed, body)
        model = self._models.require(addressed.model, endpoint.method)
        doors = await self._doors.of(model.name, body)
        end_of = endpoint.stream_form.end_of_broken if addressed.stream else None
        return ForwardedCall(doors, call.project, body, end_of=end_of)
