"""The queue before a remote engine: as many requests pass as its servers answer best.

Interactive calls go before those of batches, and a part of the limit is kept for them while they
come, and of batches there are no more than let calls be quick. One that finds no room preempts the
batch call that began last. The limit moves with what the servers yield, and is nothing while all of
them are busy or away.
"""

import asyncio
import math
from contextlib import AbstractAsyncContextManager
from typing import Any

from toplu.fleet.lanes.claim import Claim, HeldSlot
from toplu.fleet.lanes.reserve import Reserve
from toplu.fleet.remote.group import ServerGroup


class ServerSlots:
    """The slots of a group of servers; lanes only share out the work of batches among them."""

    def __init__(
        self, group: ServerGroup[Any], *, lanes: int, reserve: Reserve | None = None
    ) -> None:
        self._lanes = lanes
        self._group = group
        group.on_room = self._admit
        self._reserve = reserve
        self._inside: list[Claim] = []  # the oldest first
        self._of_batches = 0  # of those
        self._leaving: set[Claim] = set()  # preempted, and still inside
        self._waiting: list[Claim] = []  # by their turn
        self._alarm: asyncio.TimerHandle | None = None

    @property
    def count(self) -> int:
        return self._lanes

    @property
    def window(self) -> int:
        return math.ceil(self._group.capacity_max / self._lanes)

    @property
    def room(self) -> int:
        return self._group.capacity

    @property
    def running(self) -> int:
        return len(self._inside)

    @property
    def reason(self) -> str:
        return self._group.reason

    def is_reserved(self, lane: int) -> bool:  # noqa: ARG002  # it means nothing to the servers
        return False

    def slot(self, claim: Claim) -> AbstractAsyncContextManager[int]:
        """Hold a slot; the lane means nothing to the servers."""
        return HeldSlot(claim, self._enter, self._leave)

    async def _enter(self, claim: Claim) -> None:
        if claim.interactive and claim.takes_lane:
            self._group.batch_seats.call_came()
            if self._reserve is not None:
                self._reserve.note_arrival()
            self._make_quiet()
        await claim.wait_among(self._waiting, self._admit)

    def _leave(self, claim: Claim) -> None:
        if claim.interactive and claim.takes_lane:
            self._group.batch_seats.call_went()
        if claim in self._waiting:
            self._waiting.remove(claim)
        elif claim in self._inside:
            self._inside.remove(claim)
            self._of_batches -= not claim.interactive
            self._leaving.discard(claim)
            if claim.interactive and claim.takes_lane and self._reserve is not None:
                assert claim.begun_at is not None, "it was inside"
                self._reserve.note_service(self._group.now() - claim.begun_at)
        self._admit()

    def _admit(self) -> None:
        capacity = self._group.capacity
        reserved = 0 if self._reserve is None else self._reserve.slots(max(0, capacity - 1))
        of_batches = self._group.batch_capacity
        calls_waiting = 0
        for claim in list(self._waiting):
            is_first = claim.interactive or claim.insists
            has_room = len(self._inside) < (capacity if is_first else capacity - reserved)
            if has_room and (claim.interactive or self._of_batches < of_batches):
                self._waiting.remove(claim)
                if claim.place_on(claim.lane or 0):
                    claim.begun_at = self._group.now()
                    self._inside.append(claim)
                    self._of_batches += not claim.interactive
            elif not is_first:
                break
            else:
                calls_waiting += claim.interactive and claim.takes_lane
        if capacity:
            self._preempt(calls_waiting)
        if self._waiting:
            self._set_alarm()

    def _make_quiet(self) -> None:
        """Break off what is far too much beside a call, so that it need not wait for its end."""
        staying = [
            claim for claim in self._inside if not (claim.interactive or claim in self._leaving)
        ]
        if not self._group.is_far_over(len(staying)):
            return
        for claim in reversed(staying[self._group.batch_capacity :]):
            if not claim.stays:
                self._leaving.add(claim)
                claim.preempt()

    def _preempt(self, calls: int) -> None:
        """Make so many batch calls leave; a server would not have two calls in one slot."""
        for claim in reversed(self._inside):
            if len(self._leaving) >= calls:
                return
            if not (claim.stays or claim in self._leaving):
                self._leaving.add(claim)
                claim.preempt()

    def _set_alarm(self) -> None:
        """Look again when a pause ends, for no event comes then."""
        opens_at = self._group.opens_at
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if opens_at is not None:
            seconds = max(0.0, opens_at - self._group.now())
            self._alarm = asyncio.get_running_loop().call_later(seconds, self._admit)
