"""Rate limits: token buckets, one for each project, model and kind of limit.

A bucket holds what a minute allows and fills steadily. It is looked at before a call and may fall
below zero after it, because what an answer uses is known only then: the debt is waited out.
"""

import math
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from datetime import datetime

from toplu.clock import Clock

MINUTE_SECONDS = 60


@dataclass(slots=True)
class _Bucket:
    per_minute: int
    level: float
    at: datetime

    def fill(self, now: datetime) -> None:
        """Bring the level up to `now`; a clock that went back fills nothing."""
        seconds = max(0.0, (now - self.at).total_seconds())
        gained = seconds * self.per_minute / MINUTE_SECONDS
        self.level = min(float(self.per_minute), self.level + gained)
        self.at = now


class Rates:
    """The buckets that are not full; a bounded number, the longest unused one is forgotten."""

    def __init__(self, *, clock: Clock, buckets_max: int = 10_000) -> None:
        self._clock = clock
        self._buckets_max = buckets_max
        self._buckets: OrderedDict[Hashable, _Bucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def seconds_until(self, key: Hashable, per_minute: int, amount: int) -> int:
        """Return in how many whole seconds `amount` is there: 0 if it is there already."""
        bucket = self._filled(key, per_minute)
        missing = amount - bucket.level
        if missing <= 0:
            return 0
        return max(1, math.ceil(missing * MINUTE_SECONDS / per_minute))

    def take(self, key: Hashable, per_minute: int, amount: int) -> None:
        """Take `amount`, whether or not it is there."""
        self._filled(key, per_minute).level -= amount

    def _filled(self, key: Hashable, per_minute: int) -> _Bucket:
        now = self._clock.now()
        bucket = self._buckets.get(key)
        if bucket is None or bucket.per_minute != per_minute:
            bucket = self._buckets[key] = _Bucket(per_minute, float(per_minute), now)
        self._buckets.move_to_end(key)
        if len(self._buckets) > self._buckets_max:
            self._buckets.popitem(last=False)
        bucket.fill(now)
        return bucket
