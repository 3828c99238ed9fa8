"""Reads the errors of a server that speaks the Gemini API.

| error                                | is                                                     |
|--------------------------------------|--------------------------------------------------------|
| `API_KEY_INVALID`, `API_KEY_EXPIRED` | the server is not for us, whatever its status          |
| those of OUTCOMES                    | the request's own outcome, in the server's words       |
| `ABORTED`, `CANCELLED`               | the answer is lost                                     |
| any other, or none of Google's       | as of any server, see `engines.http.connection`      |
"""

from typing import Any

import msgspec

from toplu.engines.http.connection import lost
from toplu.engines.http.fault import ServerAway, ServerFault
from toplu.errors import (
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    TopluError,
    Unimplemented,
)

KEY_REASONS = frozenset({"API_KEY_INVALID", "API_KEY_EXPIRED"})
LOST = frozenset({"ABORTED", "CANCELLED"})
# By the name of the google.rpc code.
OUTCOMES: dict[str, type[TopluError]] = {
    "INVALID_ARGUMENT": InvalidArgument,
    "OUT_OF_RANGE": InvalidArgument,
    "FAILED_PRECONDITION": FailedPrecondition,
    "UNIMPLEMENTED": Unimplemented,
    "PERMISSION_DENIED": PermissionDenied,
    "NOT_FOUND": NotFound,
}
# Of the details, what a client can act on; the others are about the operator's account.
BAD_REQUEST = "type.googleapis.com/google.rpc.BadRequest"
DETAILS_BYTES_MAX = 16 * 1024


class _Status(msgspec.Struct, frozen=True):
    """A google.rpc.Status as Google's front end writes it."""

    status: str
    details: list[dict[str, Any]] = []


class _Refusal(msgspec.Struct, frozen=True):
    """The body of a call that failed."""

    error: _Status


# A stream that fails before it begins may answer with a list of one.
_decoder = msgspec.json.Decoder(_Refusal | list[_Refusal])


def read_refusal(status: int, body: bytes, words: str) -> TopluError | None:
    """Return what the body of an error means; None if it is not for the Gemini API to say.

    `words` are what clients and logs may see of it.
    """
    try:
        read = _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    refusals = read if isinstance(read, list) else [read]
    return _meaning(refusals[0].error, status, words) if refusals else None


def read_failure(error: Any, words: str) -> TopluError:
    """Return what an error means that comes in the place of a response."""
    try:
        failure = msgspec.convert(error, _Status)
    except msgspec.ValidationError:
        failure = _Status(status="UNKNOWN")
    meaning = _meaning(failure, None, words)
    return meaning or lost(f"the server failed in the middle of its answer: {words}")


def _meaning(error: _Status, status: int | None, words: str) -> TopluError | None:
    if any(detail.get("reason") in KEY_REASONS for detail in error.details):
        return ServerAway(f"the server refuses the key: {words}", status=status)
    if error.status in LOST:
        return lost(f"the server gave up: {words}")
    if (outcome := OUTCOMES.get(error.status)) is None:
        return None
    details = tuple(detail for detail in error.details if detail.get("@type") == BAD_REQUEST)
    if len(msgspec.json.encode(details)) > DETAILS_BYTES_MAX:
        details = ()
    return outcome(words, details=details)


def is_doubtful(error: TopluError) -> bool:
    """Return whether the server may mean its caller, and not the request."""
    return isinstance(error, PermissionDenied | NotFound) and not isinstance(error, ServerFault)
