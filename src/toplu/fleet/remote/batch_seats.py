"""Shrinks the seats of batches while interactive calls come, as far as their steps need it.

All that a server runs together is in each of its steps, so that a call is the slower the more of a
batch runs beside it; how much so is the server's: on processors a step with 32 took eleven times as
long as one with one, on a graphics card hardly longer. The time of a step is taken to be

    step(n) = fixed + each · n        of n requests that run

with both found from the server's own figures, at whatever n it had. Batches have as many seats as
make a step `slowdown_max` times as long as it is beside one seat of a batch.

    calls come ──▶ at once so few          calls cease ──▶ after a while, twice as many each second
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from toplu.engines.http.load import ServerLoad
from toplu.settings.remote import RemoteSettings

STEPS_MIN = 4  # that make a sample
SIZES_APART = 2  # powers of two between few and many
ALIKE = 1.5  # times as many at one end of it as at the other, at most
SHARE_OF_LAST = 0.3  # of the last sample in the mean of its kind
GAPS_HELD = 4  # mean gaps between two calls, after which none is expected
HELD_SECONDS_MIN, HELD_SECONDS_MAX = 5.0, 60.0
GROWTH_SECONDS = 1.0  # in which seats double that come back
FAR = 2.0  # times the slowdown that is allowed: then what runs is broken off for a call


@dataclass(frozen=True, slots=True)
class StepSample:
    """Some steps of one server: how many requests were in one, and its seconds, in the mean."""

    running: float
    seconds: float


def step_sample(before: ServerLoad, after: ServerLoad) -> StepSample | None:
    """Return the steps between two looks at a server; None: too few, or other ones at the end."""
    steps = after.steps - before.steps
    low, high = sorted((before.running, after.running))
    if steps < STEPS_MIN or not low or high > ALIKE * low:
        return None
    return StepSample((low + high) / 2, (after.step_seconds - before.step_seconds) / steps)


class StepCosts:
    """The time of a step by how many requests are in it, from samples of any size."""

    def __init__(self) -> None:
        # By size, in powers of two: the mean number in a step and the mean seconds of one.
        self._means: dict[int, tuple[float, float]] = {}

    def note(self, sample: StepSample) -> None:
        """Take what some steps took."""
        size = round(math.log2(max(1.0, sample.running)))
        number, seconds = self._means.get(size, (sample.running, sample.seconds))
        self._means[size] = (
            number + SHARE_OF_LAST * (sample.running - number),
            seconds + SHARE_OF_LAST * (sample.seconds - seconds),
        )

    def seconds(self, running: float) -> float:
        """Return how long a step with so many takes; 0 if nothing is known."""
        fixed, each = self._line()
        return fixed + each * running

    def most_within(self, seconds: float) -> float:
        """Return how many a step may have that takes so long."""
        fixed, each = self._line()
        return (seconds - fixed) / each if each > 0 else math.inf

    @property
    def is_known(self) -> bool:
        """Whether there is a sample at all."""
        return bool(self._means)

    @property
    def is_measured(self) -> bool:
        """Whether steps with few and with many are known."""
        return bool(self._means) and max(self._means) >= min(self._means) + SIZES_APART

    def _line(self) -> tuple[float, float]:
        """Return the fixed part and that of each request; of one size alone, all is of each."""
        count = len(self._means)
        if not count:
            return 0.0, 0.0
        numbers, times = zip(*self._means.values(), strict=True)
        number, mean = sum(numbers) / count, sum(times) / count
        spread = sum((each - number) ** 2 for each in numbers)
        steepest = mean / number
        if count == 1 or not spread:
            return 0.0, steepest
        slope = sum((n - number) * (t - mean) for n, t in zip(numbers, times, strict=True)) / spread
        slope = min(max(0.0, slope), steepest)
        return mean - slope * number, slope


class BatchSeats:
    """The number of requests of batches that the servers of a model have at a time."""

    def __init__(self, remote: RemoteSettings, *, now: Callable[[], float]) -> None:
        self.costs = StepCosts()
        self._share = remote.interactive_share
        self._slowdown_max = remote.interactive_slowdown_max
        self._now = now
        self._calls = 0  # that are there
        self._last_call_at: float | None = None
        self._gap: float | None = None  # between two calls, in the mean
        self._ceased_at = -math.inf  # since when no call is expected, or was there at all
        self._limit = math.inf  # while calls come, and as it was when they ceased

    def call_came(self) -> None:
        """Note that an interactive call wants a slot."""
        now = self._now()
        if self._last_call_at is not None:
            gap = now - self._last_call_at
            mean = gap if self._gap is None else self._gap
            is_another_time = gap > HELD_SECONDS_MAX
            self._gap = None if is_another_time else mean + SHARE_OF_LAST * (gap - mean)
        self._last_call_at = now
        self._calls += 1

    def call_went(self) -> None:
        """Note that such a call has ended, or has given up."""
        self._calls -= 1
        held = HELD_SECONDS_MIN if self._gap is None else GAPS_HELD * self._gap
        held = min(max(held, HELD_SECONDS_MIN), HELD_SECONDS_MAX)
        self._ceased_at = self._now() + held

    def limit(self, capacity: int, servers: int) -> int:
        """Return the seats of batches at so many servers that take `capacity` in all."""
        if self._calls or self._now() < self._ceased_at:
            self._limit = self._beside_calls(capacity, servers)
        elif self._limit < capacity:
            doublings = (self._now() - self._ceased_at) / GROWTH_SECONDS
            grown = self._limit * 2.0 ** min(doublings, 16.0)
            if grown < capacity:
                return max(1, int(grown))
            self._limit = math.inf
        return capacity if self._limit >= capacity else int(self._limit)

    def is_far_over(self, seats: int, servers: int) -> bool:
        """Return whether calls are to have less beside them at once, and not as requests end."""
        if self._share is not None or not self.costs.is_measured:
            return False
        beside_one = self.costs.seconds(2)
        return self.costs.seconds(1 + seats / servers) > FAR * self._slowdown_max * beside_one

    def _beside_calls(self, capacity: int, servers: int) -> float:
        if self._share is not None:
            return max(1.0, self._share * capacity)
        if not self.costs.is_known:
            return math.inf
        running = self.costs.most_within(self._slowdown_max * self.costs.seconds(2))
        return max(1.0, servers * (running - max(1, self._calls / servers)))
