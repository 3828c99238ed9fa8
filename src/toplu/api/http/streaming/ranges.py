"""Parts of a body that a client asks for (`Range`, RFC 9110, 14): one of them, or all of it."""

import re
from collections.abc import AsyncIterator, Callable

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from toplu.errors import OutOfRange

RANGE = re.compile(r"bytes=(?P<first>[0-9]{0,19})-(?P<last>[0-9]{0,19})")
PARTIAL = 206


def ranged_response(
    request: Request,
    size: int,
    stream: Callable[[int, int], AsyncIterator[bytes]],
    *,
    content_type: str,
) -> Response:
    """Answer with the bytes asked for; `stream` gives those from an offset, so many.

    Several ranges at once are answered with everything, as a server may. Raises OutOfRange.
    """
    first, length = _asked(request.headers.get("range"), size)
    headers = {
        "Content-Type": content_type,
        "Content-Length": str(length),
        "Accept-Ranges": "bytes",
        "X-Content-Type-Options": "nosniff",
    }
    status = 200
    if length < size:
        headers["Content-Range"] = f"bytes {first}-{first + length - 1}/{size}"
        status = PARTIAL
    return StreamingResponse(stream(first, length), status_code=status, headers=headers)


def _asked(header: str | None, size: int) -> tuple[int, int]:
    """Return the offset and the length."""
    found = RANGE.fullmatch((header or "").replace(" ", ""))
    if found is None or not (found["first"] or found["last"]):
        return 0, size
    if not found["first"]:
        length = min(int(found["last"]), size)
        first = size - length
    else:
        first = int(found["first"])
        last = min(int(found["last"] or size), size - 1)
        if found["last"] and int(found["last"]) < first:
            return 0, size  # no range at all
        length = last - first + 1
    if length <= 0:
        raise OutOfRange(f"The range {header} is outside of the {size} bytes that there are.")
    return first, length
