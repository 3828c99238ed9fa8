"""The ends that a run may come to before it is done: a signal, or the time that it was given."""

import asyncio
import re
from enum import IntEnum

from toplu.errors import ConfigurationError
from toplu.serving.stop_signals import StopSignals

RESERVE_SECONDS_MAX = 60.0  # of the time, to end in good order
RESERVE_PART = 4
_CLOCK = re.compile(r"(?:(?:(\d+)-)?(\d+):)?(\d+):(\d\d)")
_UNITS = re.compile(r"(\d+)([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class ExitCode(IntEnum):
    """The exit status of a run."""

    DONE = 0
    SOME_FAILED = 1
    NOT_REACHED = 3
    TIME_LIMIT = 75
    STOPPED = 130


def seconds_of(text: str) -> float:
    """Return the seconds of `3:50:00`, `1-00:00:00` (days first), `50:00`, `90m` or `2h`."""
    if found := _CLOCK.fullmatch(text):
        days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
        total = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    elif found := _UNITS.fullmatch(text):
        total = int(found[1]) * _SECONDS[found[2]]
    else:
        total = 0
    if not total:
        raise ConfigurationError(
            f"time limit `{text}`: write hours, minutes and seconds as in 3:50:00, or 90m, or 2h"
        )
    return float(total)


def reserve_of(seconds_max: float | None) -> float:
    """Return how long before the limit a run begins to end."""
    if seconds_max is None:
        return RESERVE_SECONDS_MAX
    return min(RESERVE_SECONDS_MAX, seconds_max / RESERVE_PART)


async def wait_for_stop(signals: StopSignals, seconds_max: float | None) -> ExitCode:
    """Return why the run is to end, when it is."""
    until = None if seconds_max is None else seconds_max - reserve_of(seconds_max)
    try:
        async with asyncio.timeout(until):
            await signals.wait()
    except TimeoutError:
        return ExitCode.TIME_LIMIT
    return ExitCode.STOPPED
