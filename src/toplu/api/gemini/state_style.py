"""Spells the states of batches as the caller wants them: JOB_STATE_* or BATCH_STATE_*.

The hosted service sends the latter. Google's SDKs of every version understand the former, and the
specification's curl lines nothing else; other clients wait for the latter alone.
"""

from typing import Literal, get_args

from starlette.requests import Request

from toplu.api.gemini.operations import StateStyle
from toplu.api.http.gate import Call
from toplu.errors import InvalidArgument

STATE_STYLE_HEADER = "X-Toplu-State-Style"

STYLES: dict[str, StateStyle] = {style: style for style in get_args(StateStyle)}
SDK = "google-genai-sdk/"  # in x-goog-api-client
CURL = "curl/"


def state_style_of(call: Call, *, default: StateStyle | Literal["auto"]) -> StateStyle:
    """Return what the call's header asks for, else the default; raise if it is no style."""
    given = call.request.headers.get(STATE_STYLE_HEADER)
    if given is None:
        return _style_for(call.request) if default == "auto" else default
    style = STYLES.get(given.strip().lower())
    if style is None:
        raise InvalidArgument(f"{STATE_STYLE_HEADER} must be one of: {', '.join(STYLES)}.")
    return style


def _style_for(request: Request) -> StateStyle:
    headers = request.headers
    is_sdk = SDK in headers.get("x-goog-api-client", "")
    return "job" if is_sdk or headers.get("user-agent", "").startswith(CURL) else "batch"
