"""Reads google.protobuf.Duration and Timestamp from their JSON forms."""

import re
from datetime import datetime, timedelta

# Seconds beyond these are no time of a calendar; protobuf allows three hundred thousand years.
_DURATION = re.compile(r"(-?[0-9]{1,12})(?:\.([0-9]{1,9}))?s", re.ASCII)
_TIMESTAMP = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt]([0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,9}))?"
    r"([Zz]|[+-][0-9]{2}:[0-9]{2})",
    re.ASCII,
)
MICROSECOND_DIGITS = 6


def read_duration(text: str) -> timedelta:
    """Return the span of `"3600s"` or `"1.5s"`; ValueError if the text has another form."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(text)
    fraction = timedelta(microseconds=_microseconds(match[2]))
    seconds = timedelta(seconds=int(match[1]))
    return seconds - fraction if match[1].startswith("-") else seconds + fraction


def read_timestamp(text: str) -> datetime:
    """Return the aware time of an RFC 3339 text; ValueError if it has another form."""
    match = _TIMESTAMP.fullmatch(text)
    if match is None:
        raise ValueError(text)
    offset = "+00:00" if match[4] in "Zz" else match[4]
    moment = datetime.fromisoformat(f"{match[1]}T{match[2]}{offset}")
    return moment.replace(microsecond=_microseconds(match[3]))


def _microseconds(fraction: str | None) -> int:
    """Return the microseconds of the digits behind the point; finer ones are cut off."""
    return int((fraction or "")[:MICROSECOND_DIGITS].ljust(MICROSECOND_DIGITS, "0"))
