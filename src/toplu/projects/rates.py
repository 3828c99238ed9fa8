"""Rate limits: token buckets, one for each project, model and kind of limit.

A bucket holds what a minute allows and fills steadily. It is looked at before a call and may fall
below zero after it, because what an answer uses is known only then: the debt is waited out.

Buckets are rows that all processes share. A process takes a portion at a time, what comes in a
tenth of a second or what a call needs if that is more, and spends what is left of it in memory. At
most one portion of each bucket is in hand, so N processes let through what one would, but for N
portions at most, more or fewer. Calls of one process that run together are all let in while it has
a token in hand: what they use is taken off as they end.
"""

import asyncio
import math
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from toplu.clock import Clock
from toplu.store.rows.rates import Bucket, Debit, Level, RateRows, Take

__all__ = ["Ask", "Bucket", "Debit", "Rates", "Refusal"]


@dataclass(frozen=True, slots=True)
class Ask:
    """The wish of a call: `needed` must be in the bucket, `amount` is used at once."""

    bucket: Bucket
    needed: int
    amount: int


@dataclass(frozen=True, slots=True)
class Refusal:
    """The bucket that has too little, and in how many whole seconds it has enough."""

    bucket: Bucket
    seconds: int


@dataclass(slots=True)
class _Hand:
    """The part of a bucket that this process has, and how much the row has at most."""

    level: Level
    amount: int = 0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def missing(self, ask: Ask) -> Take | None:
        """Return what must come from the row, or None if enough is in hand."""
        if max(ask.needed, ask.amount) <= self.amount:
            return None
        needed = ask.needed - self.amount
        return Take(ask.bucket, needed, max(needed, ask.amount - self.amount))


class Rates:
    """The hands of this process; a bounded number, the longest unused one is forgotten."""

    def __init__(self, *, clock: Clock, rows: RateRows, hands_max: int = 10_000) -> None:
        self._clock = clock
        self._rows = rows
        self._hands_max = hands_max
        self._hands: OrderedDict[Bucket, _Hand] = OrderedDict()

    def __len__(self) -> int:
        return len(self._hands)

    async def admit(self, asks: Sequence[Ask]) -> Refusal | None:
        """Take what a call asks for, or nothing if there is too little of something.

        What is known to be used up is refused without a look at the rows.
        """
        hands = [self._hand_of(ask.bucket) for ask in asks]
        async with AsyncExitStack() as stack:
            for hand in hands:  # in the order of the asks, which is the same in all calls
                await stack.enter_async_context(hand.lock)
            short = [
                (hand, take)
                for hand, ask in zip(hands, asks, strict=True)
                if (take := hand.missing(ask)) is not None
            ]
            if short and (refusal := await self._fetch(short)) is not None:
                return refusal
            for hand, ask in zip(hands, asks, strict=True):
                hand.amount -= ask.amount
        return None

    def left(self, bucket: Bucket) -> tuple[int, float]:
        """Return how much is in the bucket as far as is known here, and when it will be full.

        In seconds. What other processes took since this one looked is not in it.
        """
        hand = self._hand_of(bucket)
        level = hand.level.filled(bucket, self._clock.now())
        amount = min(bucket.per_minute, max(0, int(level.amount) + hand.amount))
        return amount, bucket.seconds_of(bucket.per_minute - amount)

    def use(self, bucket: Bucket, amount: int) -> Debit | None:
        """Spend what is in hand; return the rest, which is to be taken off the row."""
        hand = self._hand_of(bucket)
        spent = min(hand.amount, amount)
        hand.amount -= spent
        return Debit(bucket, amount - spent) if amount > spent else None

    async def _fetch(self, short: Sequence[tuple[_Hand, Take]]) -> Refusal | None:
        """Bring into the hands what they are short of, all or nothing."""
        now = self._clock.now()
        for hand, take in short:
            hand.level = hand.level.filled(take.bucket, now)
        if (refusal := _refusal(short)) is not None:
            return refusal
        levels = await self._rows.take([take for _, take in short], self._clock.now)
        for (hand, _), level in zip(short, levels, strict=True):
            hand.level = level
        if (refusal := _refusal(short)) is not None:
            return refusal
        for hand, take in short:
            taken = take.taken_from(hand.level)
            hand.level = hand.level.less(taken)
            hand.amount += taken
        return None

    def _hand_of(self, bucket: Bucket) -> _Hand:
        hand = self._hands.get(bucket)
        if hand is None:
            hand = self._hands[bucket] = _Hand(Level.full(bucket, self._clock.now()))
        self._hands.move_to_end(bucket)
        if len(self._hands) > self._hands_max:
            self._hands.popitem(last=False)
        return hand


def _refusal(short: Sequence[tuple[_Hand, Take]]) -> Refusal | None:
    for hand, take in short:
        if not take.is_there(hand.level):
            missing = take.needed - hand.level.amount
            return Refusal(take.bucket, max(1, math.ceil(take.bucket.seconds_of(missing))))
    return None
