"""How a call wants the states of batches spelled: JOB_STATE_* or BATCH_STATE_*.

Each spelling breaks some clients, so that one server may have to speak both.
"""

from typing import get_args

from toplu.api.gemini.operations import StateStyle
from toplu.api.http.gate import Call
from toplu.errors import InvalidArgument

STATE_STYLE_HEADER = "X-Toplu-State-Style"

STYLES: dict[str, StateStyle] = {style: style for style in get_args(StateStyle)}


def state_style_of(call: Call, *, default: StateStyle) -> StateStyle:
    """Return what the call's header asks for, else the default; raise if it is no style."""
    given = call.request.headers.get(STATE_STYLE_HEADER)
    if given is None:
        return default
    style = STYLES.get(given.strip().lower())
    if style is None:
        raise InvalidArgument(f"{STATE_STYLE_HEADER} must be one of: {', '.join(STYLES)}.")
    return style
