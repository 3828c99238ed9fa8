"""Shares the lanes of one engine: on each one request runs and one waits behind it.

The one behind is already in the engine when the first ends, so that no lane idles for the time of a
round trip. A request that finds no slot waits here. A batch call waits for the lane that it
names, where its prefix is, unless that lane is reserved: no batch call begins there.

An interactive call runs at once wherever no other one does. If a batch call does, that one and the
one behind it are preempted, on the lane where least is lost: it is the one that began last, for
what is lost is what the engine did for it, reading and writing.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol

from toplu.fleet.lanes.claim import Claim, HeldSlot
from toplu.fleet.lanes.reserve import Reserve, loop_seconds

SLOTS_PER_LANE = 2
COUNTS_MAX = 4  # that are in the engine at a time; they need no lane


class Slots(Protocol):
    """The slots of an engine; requests wait here until one is free."""

    @property
    def count(self) -> int:
        """The number of lanes that a batch is spread over."""
        ...

    @property
    def window(self) -> int:
        """The number of requests that keep a lane busy."""
        ...

    @property
    def room(self) -> int:
        """The number of requests that may run at a time."""
        ...

    @property
    def running(self) -> int:
        """The number of requests that run."""
        ...

    @property
    def reason(self) -> str:
        """The reason why there is none, where that is not simply that others have them."""
        ...

    def is_reserved(self, lane: int) -> bool:
        """Return whether no batch call is to begin on the lane: interactive calls may come."""
        ...

    def slot(self, claim: Claim) -> AbstractAsyncContextManager[int]:
        """Hold a slot for the claim; yield the lane that it is on.

        Raises Preempted where an interactive call is to have it.
        """
        ...


class Lanes:
    """The slots of one engine."""

    window = SLOTS_PER_LANE
    reason = ""

    def __init__(
        self,
        count: int,
        reserve: Reserve | None = None,
        now: Callable[[], float] = loop_seconds,
    ) -> None:
        self._now = now
        self._on: list[list[Claim]] = [[] for _ in range(count)]  # the first one runs
        self._waiting: list[Claim] = []  # by their turn
        self._reserve = reserve
        self._counts = asyncio.Semaphore(COUNTS_MAX)

    @property
    def count(self) -> int:
        return len(self._on)

    @property
    def room(self) -> int:
        return self.count

    @property
    def running(self) -> int:
        return sum(map(bool, self._on))

    @property
    def taken(self) -> int:
        """The number of requests that have a slot."""
        return sum(map(len, self._on))

    def is_reserved(self, lane: int) -> bool:
        # The last ones, so that the first keep the prefixes that batches left there.
        return self._reserve is not None and self._reserve.is_kept and lane >= self._open_lanes()

    def slot(self, claim: Claim) -> AbstractAsyncContextManager[int]:
        if not claim.takes_lane:
            return self._slot_for_count()
        return HeldSlot(claim, self._take, self._release)

    @asynccontextmanager
    async def _slot_for_count(self) -> AsyncIterator[int]:
        async with self._counts:
            yield 0

    async def _take(self, claim: Claim) -> None:
        if claim.interactive and self._reserve is not None:
            self._reserve.note_arrival()
        lane = None if self._waiting else self._lane_for(claim)
        if lane is None:
            await claim.wait_among(self._waiting, self._admit)
        else:
            self._put(claim, lane)

    def _release(self, claim: Claim) -> None:
        if claim in self._waiting:
            self._waiting.remove(claim)
            return
        if claim.placed_on is not None:
            claims = self._on[claim.placed_on]
            claims.remove(claim)
            if claims and claims[0].begun_at is None:
                claims[0].begun_at = self._now()
            if claim.interactive and self._reserve is not None:
                assert claim.begun_at is not None, "an interactive call waits on no lane"
                self._reserve.note_service(self._now() - claim.begun_at)
        if self._waiting:
            self._admit()

    def _admit(self) -> None:
        """Give slots to those that wait, as far as there are any."""
        calls_wait = False
        for claim in list(self._waiting):
            if calls_wait and not (claim.interactive or claim.insists):
                return
            lane = self._lane_for(claim)
            if lane is not None:
                self._waiting.remove(claim)
                self._put(claim, lane)
            calls_wait = calls_wait or (claim.interactive and lane is None)

    def _put(self, claim: Claim, lane: int) -> None:
        if not claim.place_on(lane):
            return
        claims = self._on[lane]
        if claim.interactive:
            for other in claims:
                other.preempt()
            claims.clear()
        if not claims:
            claim.begun_at = self._now()
        claims.append(claim)

    def _lane_for(self, claim: Claim) -> int | None:
        return self._lane_for_call() if claim.interactive else self._lane_for_batch(claim)

    def _lane_for_call(self) -> int | None:
        return min(self._preemptible_lanes(), key=self._loss, default=None)

    def _preemptible_lanes(self) -> Iterator[int]:
        for lane in reversed(range(self.count)):
            if not any(claim.stays for claim in self._on[lane]):
                yield lane

    def _loss(self, lane: int) -> float:
        """Return for how long the engine has worked for nothing if the lane is taken away."""
        claims = self._on[lane]
        if not claims:
            return -1.0
        assert claims[0].begun_at is not None, "the first one runs"
        return self._now() - claims[0].begun_at

    def _lane_for_batch(self, claim: Claim) -> int | None:
        lane = claim.lane
        if lane is None or self.is_reserved(lane):
            lane = min(range(self._open_lanes()), key=lambda lane: len(self._on[lane]))
        return lane if len(self._on[lane]) < SLOTS_PER_LANE else None

    def _open_lanes(self) -> int:
        reserved = 0 if self._reserve is None else self._reserve.slots(self.count - 1)
        return self.count - reserved
