"""Counts interactive calls at a worker's door and how long they take, by their models."""

import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from toplu.api.http.middleware.log_context import bind_trace
from toplu.metrics.measured import FAILED, SUCCEEDED, note_call
from toplu.tracing import names
from toplu.tracing.spans import SPANS

MODEL = "toplu.model"  # of the scope: the model of the catalogue that the call asks


class CallTimes:
    """Middleware next to the routes, whose handlers say which model they ask."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the call, and note its time and outcome; one that asks no model is not noted."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun, outcome = time.monotonic(), FAILED
        first_chunk: float | None = None

        async def note_answer(message: Message) -> None:
            nonlocal outcome, first_chunk
            if message["type"] == "http.response.start" and message["status"] < 400:  # noqa: PLR2004
                outcome = SUCCEEDED
            elif message.get("more_body") and first_chunk is None:
                first_chunk = time.monotonic() - begun
            await send(message)

        with SPANS.called("call", scope["headers"]) as span:
            bind_trace(scope)
            try:
                await self._app(scope, receive, note_answer)
            finally:
                if (model := scope.get(MODEL)) is not None:
                    operation = _operation_of(scope["path"])
                    span.rename(f"{operation} {model}")
                    span.note(names.OPERATION, operation)
                    seconds = time.monotonic() - begun
                    note_call(model, outcome, seconds=seconds, first_chunk=first_chunk)


def _operation_of(path: str) -> str:
    if "embed" in path.rpartition("/")[2]:
        return names.EMBEDDINGS
    is_text = path.endswith("/completions") and not path.endswith("/chat/completions")
    return names.TEXT_COMPLETION if is_text else names.CHAT
