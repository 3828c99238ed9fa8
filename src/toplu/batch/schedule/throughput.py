"""Measures how fast an engine is while all its lanes are busy, for the estimates of jobs."""

import math
from datetime import datetime, timedelta

from toplu.money import NO_TOKENS, Usage

SPAN = timedelta(seconds=5)  # that is measured as one piece, at least
MEMORY = timedelta(minutes=2)  # after which a measurement counts for about a third


class Throughput:
    """A running mean over the time in which no lane was without work."""

    def __init__(self) -> None:
        self._since: datetime | None = None
        self._usage = NO_TOKENS
        self.work_per_second: float | None = None  # None: not measured yet
        self.read_per_second = 0.0  # prompt tokens that were computed
        self.written_per_second = 0.0  # output tokens

    def begin(self, now: datetime) -> None:
        """Take note that every lane has work."""
        if self._since is None:
            self._since = now
            self._usage = NO_TOKENS

    def end(self, now: datetime) -> None:
        """Take note that a lane found nothing to do."""
        self._measure(now)
        self._since = None

    def add(self, usage: Usage, now: datetime) -> None:
        """Take note of what was computed up to `now`."""
        if self._since is not None:
            self._usage += usage
            self._measure(now)

    def _measure(self, now: datetime) -> None:
        # The clock may have been put back.
        if self._since is None or now < self._since + SPAN:
            return
        span = now - self._since
        fresh = 1.0 if self.work_per_second is None else 1 - math.exp(-span / MEMORY)
        read = self._usage.prompt_tokens - self._usage.cached_tokens

        def mean(before: float, amount: int) -> float:
            return before + fresh * (amount / span.total_seconds() - before)

        self.work_per_second = mean(self.work_per_second or 0.0, self._usage.work)
        self.read_per_second = mean(self.read_per_second, read)
        self.written_per_second = mean(self.written_per_second, self._usage.output_tokens)
        self._since, self._usage = now, NO_TOKENS


class Throughputs:
    """One for each engine, by its name in the catalogue."""

    def __init__(self) -> None:
        self._speeds: dict[str, Throughput] = {}

    def of(self, engine: str) -> Throughput:
        return self._speeds.setdefault(engine, Throughput())
