"""Faults between a request and a remote server that are not the request's own.

ServerFault
├── ServerBusy    the server takes no request at the moment: 429, 503
├── ServerAway    it cannot be reached, or takes none of ours: refused, unknown key or model
└── AnswerLost    it took the request, and the answer did not come whole

None of them is an outcome while another try may succeed. The first two cost the request nothing;
of the third it may be the cause, so that it is tried a bounded number of times.
"""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import msgspec

from toplu.errors import TopluError, Unavailable


class ServerFault(Unavailable):
    """A server did not answer; the message says why, without its key and its address."""


class ServerBusy(ServerFault):
    """The server takes no request at the moment."""

    def __init__(self, message: str, *, retry_seconds: float | None) -> None:
        super().__init__(message)
        self.retry_seconds = retry_seconds  # as the server wishes; None: it does not say


class ServerAway(ServerFault):
    """The server cannot be reached, or refuses our key; it has done nothing."""

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status  # with which it refused, if it answered


class AnswerLost(ServerFault):
    """The server took the request, and the answer did not come whole."""

    def __init__(self, message: str, *, outcome: TopluError, overloaded: bool) -> None:
        super().__init__(message)
        self.outcome = outcome  # of a request that has no more tries
        self.overloaded = overloaded  # too many requests at a time may be the cause


class _Detail(msgspec.Struct, rename="camel"):
    retry_delay: str | None = None


class _Details(msgspec.Struct):
    details: list[_Detail] = []


class _Delayed(msgspec.Struct):
    error: _Details


def read_retry_delay(body: bytes) -> str | None:
    """Return the seconds after which an error of Google's, in its RetryInfo, asks to come back."""
    try:
        details = msgspec.json.decode(body, type=_Delayed).error.details
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    delays = (detail.retry_delay for detail in details if detail.retry_delay)
    return next((delay.removesuffix("s") for delay in delays), None)


def read_retry_after(value: str | None, now: datetime, seconds_max: float) -> float | None:
    """Return the seconds that a `Retry-After` asks for, given as seconds or as a date."""
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            moment = parsedate_to_datetime(value)
        except ValueError:
            return None
        seconds = (moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds()
    # Written so that NaN, which compares with nothing, is no time to wait for.
    return min(seconds, seconds_max) if seconds > 0 else 0.0
