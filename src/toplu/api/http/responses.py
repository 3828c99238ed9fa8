"""JSON out: one place that encodes, compresses and labels what a call answers with."""

import asyncio
import gzip
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from toplu.wire.gemini import message

CONTENT_TYPE = "application/json; charset=UTF-8"
COMPRESSED_FROM_BYTES = 256
COMPRESSED_IN_THREAD_FROM_BYTES = 256 * 1024


async def json_response(
    request: Request, body: Any, *, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    """Return `body` as JSON, gzipped if the client takes it.

    A successful call answers 200 exactly: one SDK takes every other status for an error.
    """
    content = message.write(body)
    headers = {"Content-Type": CONTENT_TYPE, "Vary": "Accept-Encoding"} | (headers or {})
    if len(content) >= COMPRESSED_FROM_BYTES and takes_gzip(request):
        headers["Content-Encoding"] = "gzip"
        if len(content) >= COMPRESSED_IN_THREAD_FROM_BYTES:
            content = await asyncio.to_thread(gzip.compress, content, 1)
        else:
            content = gzip.compress(content, 1)
    return Response(content, status_code=status, headers=headers)


def takes_gzip(request: Request) -> bool:
    """Return whether the client reads gzip."""
    offers = request.headers.get("accept-encoding", "").lower().split(",")
    for offer in offers:
        coding, _, quality = offer.partition(";")
        if coding.strip() == "gzip":
            return quality.replace(" ", "") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return False
