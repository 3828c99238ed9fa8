"""The base of every OpenAI wire message, and the reader of bodies.

Names are snake_case here and on the wire. Of a request, a field that no message has passes: clients
of many servers send fields of each (`extra_body`). Of an answer, None is written as null, and what
is `UNSET` is left out: OpenAI's own answers have some fields always and others only where they
mean something.
"""

import re
from typing import Any, TypeVar

import msgspec

from toplu.errors import InvalidArgument

UNSET = msgspec.UNSET
Unset = msgspec.UnsetType
FreeForm = dict[str, Any]

_FAULT = re.compile(r"(?P<what>.*) - at `\$\.?(?P<where>.*)`$", re.DOTALL)
# What a decoder raises on a text that is not JSON, or not of its type.
REFUSALS = (msgspec.MsgspecError, ValueError, RecursionError)


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One object of OpenAI's API in its JSON form."""


T = TypeVar("T", bound=Message)


class InvalidParameter(InvalidArgument):
    """A parameter is wrong; `param` is its path, `reason` OpenAI's word for what is wrong."""

    def __init__(self, param: str | None, message: str, *, reason: str | None = None) -> None:
        super().__init__(message)
        self.param = param
        self.reason = reason


class UnsupportedParameter(InvalidParameter):
    """A parameter is known to OpenAI's API and not served here."""

    def __init__(self, param: str, message: str | None = None) -> None:
        text = message or f"Unsupported parameter: '{param}' is not served by this server."
        super().__init__(param, text, reason="unsupported_parameter")


def read(message_type: type[T], body: bytes | FreeForm) -> T:
    """Return the body, be it text or decoded, as a message; InvalidParameter says what is wrong."""
    try:
        if isinstance(body, bytes):
            return msgspec.json.decode(body, type=message_type)
        return msgspec.convert(body, message_type)
    except msgspec.ValidationError as error:
        raise _invalid(str(error)) from error
    except REFUSALS as error:
        raise InvalidParameter(
            None, f"We could not parse the JSON body of your request. ({error})"
        ) from error


def _invalid(fault: str) -> InvalidParameter:
    found = _FAULT.match(fault)
    what, where = (found["what"], found["where"]) if found else (fault, "")
    missing = re.fullmatch(r"Object missing required field `(.*)`", what)
    if missing:
        param = f"{where}.{missing[1]}" if where else missing[1]
        return InvalidParameter(
            param,
            f"Missing required parameter: '{param}'.",
            reason="missing_required_parameter",
        )
    place = f" for '{where}'" if where else ""
    return InvalidParameter(
        where or None, f"Invalid value{place}: {what}.", reason="invalid_value" if where else None
    )
