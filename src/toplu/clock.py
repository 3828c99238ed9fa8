"""Time and random names, injected so that tests can move the one and know the other."""

import asyncio
import secrets
import string
import time
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Protocol

LOWER_ALPHANUMERIC = string.ascii_lowercase + string.digits
# Seven bytes make each character. The few that are left would favour some, so they are drawn again.
_CHARACTER_OF_BYTE = (LOWER_ALPHANUMERIC * 8)[:256].encode("ascii")
_UNUSED_BYTES = bytes(range(256 - 256 % len(LOWER_ALPHANUMERIC), 256))
# At a time: each draw lets another thread run, and waits until that one lets go.
DRAWN_BYTES = 8192
_drawn: defaultdict[int, list[str]] = defaultdict(list)  # by their length


# That of macOS goes on while the machine sleeps; Linux has another one for that.
_STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def elapsed() -> float:
    """Return seconds since some moment, which nobody sets and no sleep of the machine stops."""
    return time.clock_gettime(_STEADY)


class Clock(Protocol):
    """The source of the time; everything asks here and nowhere else."""

    def now(self) -> datetime:
        """Return the time of day, aware, in UTC."""
        ...

    def elapsed(self) -> float:
        """Return seconds since some moment; see `elapsed`."""
        ...

    async def sleep(self, span: timedelta) -> None:
        """Wait until `now()` has advanced by `span`."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)  # noqa: TID251  # the one place

    def elapsed(self) -> float:
        return elapsed()

    async def sleep(self, span: timedelta) -> None:
        await asyncio.sleep(span.total_seconds())


def random_id(length: int) -> str:
    """Return `length` unguessable characters of `[a-z0-9]`."""
    ids = _drawn[length]
    while True:
        try:
            return ids.pop()  # in one step, whatever other threads do
        except IndexError:
            drawn = secrets.token_bytes(max(DRAWN_BYTES, 2 * length))
            text = drawn.translate(_CHARACTER_OF_BYTE, _UNUSED_BYTES).decode("ascii")
            ids.extend(text[at : at + length] for at in range(0, len(text) - length + 1, length))


def timestamp(moment: datetime) -> str:
    """Return RFC 3339 in UTC with six fraction digits, which some clients insist on."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
