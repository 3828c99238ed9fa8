"""The clock of the server that has the rows, as processes of other machines know it.

    asked ── the server reads its clock ── heard        on this process's own, which nobody sets

Each deed tells the time once, at some moment between question and answer. The narrowest bounds that
were heard are kept, and widen by what two clocks may drift apart. So all processes of a server
go by one clock, off by half of a round trip, and whatever the clocks of their machines say.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import structlog

from toplu.clock import Clock, SystemClock, elapsed

log = structlog.get_logger()

DRIFT = 0.001  # of a second, in each: clocks that are steered go wrong by half as much
OFF = timedelta(seconds=1)  # of this machine's clock; from there on the log says so


class Told(NamedTuple):
    """The server's time, and the moments before and after it was read."""

    asked: float
    time: float  # seconds since 1970
    heard: float


class ServerClock(SystemClock):
    """Right once it has heard the server's time, and while nothing is heard for hours."""

    def __init__(
        self,
        place: str,
        *,
        machine: Clock | None = None,
        elapsed: Callable[[], float] = elapsed,
    ) -> None:
        self._place = place
        self._machine = machine or SystemClock()
        self._elapsed = elapsed
        self._bounds: tuple[float, float] | None = None  # of its time, less this process's
        self._heard = 0.0
        self._is_off = False

    def now(self) -> datetime:
        assert self._bounds is not None, "a database is open once its server has answered"
        return datetime.fromtimestamp(sum(self._bounds) / 2 + self._elapsed(), UTC)

    def note(self, told: Told) -> None:
        """Learn from what the server told, in any order."""
        least, most = told.time - told.heard, told.time - told.asked
        if self._bounds is not None:
            wider = DRIFT * max(0.0, told.heard - self._heard)
            known_least, known_most = self._bounds
            narrowed = max(least, known_least - wider), min(most, known_most + wider)
            # Else the server's clock was set, or there is another server.
            if narrowed[0] <= narrowed[1]:
                least, most = narrowed
        self._bounds = least, most
        self._heard = max(self._heard, told.heard)
        self._say_if_off()

    def _say_if_off(self) -> None:
        off = self._machine.now() - self.now()
        if self._is_off == (abs(off) > OFF):
            return
        self._is_off = not self._is_off
        say = log.warning if self._is_off else log.info
        event = "clock_is_off" if self._is_off else "clock_is_right"
        say(event, seconds=round(off.total_seconds(), 3), goes_by=self._place)
