"""Tells whose call it is: OpenAI's paths stand under `/openai/v1`, and under `/v1` by their key.

    /openai/v1/…                                         OpenAI's
    /v1/… with `Authorization: Bearer`, no Google key    OpenAI's
    everything else                                      Gemini's

Both APIs have paths of the same names under `/v1` (models, files, batches). Google's SDKs send
their key as `x-goog-api-key` or `?key=`, OpenAI's as a bearer token.
"""

from starlette.datastructures import Headers, QueryParams
from starlette.types import ASGIApp, Receive, Scope, Send

from toplu.api.openai.gate import PREFIX

SHARED = "/v1"


class WireDispatch:
    """The application of both APIs."""

    def __init__(self, *, gemini: ASGIApp, openai: ASGIApp) -> None:
        self._gemini = gemini
        self._openai = openai

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the call to the API that it is for."""
        path = scope.get("path", "")
        if path == PREFIX or path.startswith(f"{PREFIX}/"):
            await self._openai(scope, receive, send)
        elif path.startswith(f"{SHARED}/") and _has_openai_key(scope):
            await self._openai(_under_prefix(scope), receive, send)
        else:
            await self._gemini(scope, receive, send)


def _has_openai_key(scope: Scope) -> bool:
    headers = Headers(scope=scope)
    scheme, _, _ = headers.get("authorization", "").partition(" ")
    return (
        scheme.lower() == "bearer"
        and "x-goog-api-key" not in headers
        and "key" not in QueryParams(scope["query_string"])
    )


def _under_prefix(scope: Scope) -> Scope:
    rest = scope["path"].removeprefix(SHARED)
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    return {
        **scope,
        "path": PREFIX + rest,
        "raw_path": PREFIX.encode() + raw.removeprefix(SHARED.encode()),
    }
