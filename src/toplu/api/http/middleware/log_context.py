"""Has what the log says of a call carry the id of its trace."""

import re

import structlog
from starlette.types import Scope

from toplu.tracing.spans import SPANS

TRACEPARENT = re.compile(rb"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}(-.*)?")


def bind_trace(scope: Scope) -> None:
    """Bind the present trace; while there is none, that of the caller."""
    trace_id = SPANS.trace_id() or _of_caller(scope)
    if trace_id is not None:
        structlog.contextvars.bind_contextvars(trace_id=trace_id)


def _of_caller(scope: Scope) -> str | None:
    for name, value in scope["headers"]:
        if name == b"traceparent" and (found := TRACEPARENT.fullmatch(value)):
            return found[1].decode()
    return None
