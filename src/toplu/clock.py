"""Time and random names, injected so that tests can move the one and tell the other."""

import asyncio
import secrets
import string
from datetime import UTC, datetime, timedelta
from typing import Protocol

LOWER_ALPHANUMERIC = string.ascii_lowercase + string.digits


class Clock(Protocol):
    """What time it is; every room asks here and nowhere else."""

    def now(self) -> datetime:
        """Return the time of day, aware, in UTC."""
        ...

    async def sleep(self, span: timedelta) -> None:
        """Wait until `now()` has advanced by `span`."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)  # noqa: TID251  # the one place

    async def sleep(self, span: timedelta) -> None:
        await asyncio.sleep(span.total_seconds())


def random_id(length: int) -> str:
    """Return `length` unguessable characters of `[a-z0-9]`."""
    # One draw for the whole id: a draw for each character is a system call for each.
    number = secrets.randbelow(len(LOWER_ALPHANUMERIC) ** length)
    characters = []
    for _ in range(length):
        number, place = divmod(number, len(LOWER_ALPHANUMERIC))
        characters.append(LOWER_ALPHANUMERIC[place])
    return "".join(characters)


def timestamp(moment: datetime) -> str:
    """Return RFC 3339 in UTC with six fraction digits, which some clients insist on."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
