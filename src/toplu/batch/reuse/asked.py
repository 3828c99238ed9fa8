"""The header by which a create call asks that its batch shares answers with others."""

from collections.abc import Mapping
from typing import get_args

from toplu.errors import InvalidArgument
from toplu.settings.server import Reuse

HEADER = "X-Toplu-Reuse"
WAYS: tuple[Reuse, ...] = get_args(Reuse)


def reuse_asked(headers: Mapping[str, str]) -> bool | None:
    """Return what the call's header asks, None if it has none; raise if it is no way of reuse."""
    given = headers.get(HEADER)
    if given is None:
        return None
    way = given.strip().lower()
    if way not in WAYS:
        raise InvalidArgument(f"{HEADER} must be one of: {', '.join(WAYS)}.")
    return way == "project"
