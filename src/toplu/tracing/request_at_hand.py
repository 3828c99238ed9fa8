"""The request of a batch that the present task works on, for the log.

One variable, set once for each request: a batch has millions.
"""

from collections.abc import MutableMapping
from contextvars import ContextVar
from typing import Any

_at_hand: ContextVar[tuple[str, str, int] | None] = ContextVar("request_at_hand", default=None)


def take_up(job: str, project: str, index: int) -> None:
    """Have what the present task says from now on be of this request."""
    _at_hand.set((job, project, index))


def add_to_event(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Name the request in a line of the log, if there is one; a processor of structlog."""
    if (at_hand := _at_hand.get()) is not None:
        for name, value in zip(("job", "project", "index"), at_hand, strict=True):
            event.setdefault(name, value)
    return event
