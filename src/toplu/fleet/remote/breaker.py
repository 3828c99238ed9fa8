"""Leaves a server alone that fails again and again, and comes back to it with care.

CLOSED ──▶ OPEN        too many failures in a row, or one that no request can cure
OPEN ──▶ HALF_OPEN     a look found it fit: one request may try
HALF_OPEN ──▶ CLOSED   it was answered
    └───────▶ OPEN     it was not; the next look comes after twice the time
"""

from enum import StrEnum

PAUSE_SECONDS_FIRST = 0.5
PAUSE_SECONDS_MAX = 30.0


class BreakerState(StrEnum):
    """Whether a server is asked."""

    CLOSED = "CLOSED"
    OPEN = "OPEN"
    HALF_OPEN = "HALF_OPEN"


class Breaker:
    """The breaker of one server; times are seconds of any clock that does not go back."""

    def __init__(self, *, failures_max: int) -> None:
        self.state = BreakerState.CLOSED
        self.look_at = 0.0  # when an open one is to be looked at next
        self._failures_max = failures_max
        self._failures = 0
        self._pause = PAUSE_SECONDS_FIRST

    def succeeded(self) -> None:
        """Note an answer, of whatever kind: the server works."""
        self.state = BreakerState.CLOSED
        self._failures = 0
        self._pause = PAUSE_SECONDS_FIRST

    def failed(self, now: float) -> None:
        """Note a request that found no answer."""
        self._failures += 1
        if self.state is BreakerState.HALF_OPEN or self._failures >= self._failures_max:
            self.trip(now)

    def trip(self, now: float) -> None:
        """Open at once."""
        if self.state is BreakerState.OPEN:
            return  # others that were in flight have nothing to add
        self.state = BreakerState.OPEN
        self._wait(now)

    def looked(self, now: float, *, fit: bool) -> None:
        """Note what a look at the server found."""
        if self.state is BreakerState.OPEN and fit:
            self.state = BreakerState.HALF_OPEN
        elif self.state is BreakerState.OPEN:
            self._wait(now)
        elif not fit:
            self.trip(now)

    def _wait(self, now: float) -> None:
        self.look_at = now + self._pause
        self._pause = min(2 * self._pause, PAUSE_SECONDS_MAX)
