"""Pages of lists: how many items a client may ask for at once, and from where on."""

from toplu.api.http.gate import Call
from toplu.errors import InvalidArgument

PAGE_QUERY = frozenset({"pageSize", "pageToken", "page_size", "page_token"})


def page_size(call: Call, *, default: int, largest: int) -> int:
    """Return the size asked for, cut to the largest; 0 and absent mean the default."""
    query = call.request.query_params
    text = query.get("pageSize", query.get("page_size", "0"))
    try:
        size = int(text)
    except ValueError:
        raise InvalidArgument(f"Invalid value at 'page_size' (TYPE_INT32), \"{text}\"") from None
    if size < 0:
        raise InvalidArgument(f"page_size must not be negative: {size}")
    return min(size or default, largest)


def page_token(call: Call) -> str | None:
    """Return where the page begins; None is the first page."""
    query = call.request.query_params
    return query.get("pageToken", query.get("page_token")) or None
