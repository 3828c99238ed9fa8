"""`updateMask`: which fields of a resource a PATCH is to change."""

from collections.abc import Mapping

from starlette.datastructures import QueryParams

from toplu.errors import InvalidArgument
from toplu.wire.gemini.message import Message

UPDATE_QUERY = frozenset({"updateMask", "update_mask"})


def masked(query: QueryParams, body: Message, writable: Mapping[str, str]) -> dict[str, object]:
    """Return the new values of the fields that the call changes, None where one is cleared.

    `writable` names fields as the wire and as the message do. Without a mask, what the body has
    is changed; `*` is all that may be.
    """
    paths = [
        path.strip()
        for name in sorted(UPDATE_QUERY)
        for mask in query.getlist(name)
        for path in mask.split(",")
        if path.strip()
    ]
    known = dict(writable) | {attribute: attribute for attribute in writable.values()}
    for path in paths:
        if path != "*" and path not in known:
            names = ", ".join(writable)
            raise InvalidArgument(f"updateMask: {path} cannot be changed; these can: {names}")
    if not paths:
        chosen = {name for name in writable.values() if getattr(body, name) is not None}
    elif "*" in paths:
        chosen = set(writable.values())
    else:
        chosen = {known[path] for path in paths}
    return {name: getattr(body, name) for name in sorted(chosen)}
