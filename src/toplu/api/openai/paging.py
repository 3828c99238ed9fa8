"""Pages of lists: `limit` of them `after` one that was seen."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from toplu.api.http.gate import Call
from toplu.wire.openai.message import InvalidParameter

T = TypeVar("T")


def limit_of(call: Call, *, default: int, largest: int) -> int:
    """Return how many are asked for."""
    text = call.request.query_params.get("limit")
    if text is None:
        return default
    if not text.isdecimal() or not 1 <= int(text) <= largest:
        raise InvalidParameter("limit", f"'limit' must be 1 to {largest}, not '{text}'.")
    return int(text)


def page_of(
    call: Call, items: Sequence[T], id_of: Callable[[T], str], *, largest: int
) -> tuple[list[T], bool]:
    """Return the page of what is all here, and whether there is more behind it."""
    limit = limit_of(call, default=largest, largest=largest)
    after = call.request.query_params.get("after")
    first = 0
    if after is not None:
        places = [place for place, item in enumerate(items) if id_of(item) == after]
        if not places:
            raise InvalidParameter("after", f"'after': there is no '{after}'.")
        first = places[0] + 1
    return list(items[first : first + limit]), first + limit < len(items)
