"""A claim is one request's wish for a slot of an engine, over all its attempts.

A batch request that has a slot may lose it to an interactive call: it is preempted, and claims
another. One that was preempted so often as the settings allow insists: nobody preempts it.
"""

import asyncio
import bisect
import itertools
from collections.abc import Awaitable, Callable
from operator import attrgetter
from types import TracebackType
from typing import Any

_numbers = itertools.count()


class Preempted(Exception):
    """The slot was needed for an interactive call; nothing is lost but the time."""


class Claim:
    """One request's claim, with what became of it so far."""

    def __init__(
        self,
        *,
        interactive: bool,
        has_priority: bool = False,  # before other interactive ones that wait
        may_stop: Callable[[], bool] = lambda: True,  # whether it can begin again
        lane: int | None = None,  # the only one that it wants
        takes_lane: bool = True,  # it generates, and does not merely count
        preemptions_max: int = 1,
    ) -> None:
        self.interactive = interactive
        self._has_priority = has_priority
        self._may_stop = may_stop
        self.lane = lane
        self.takes_lane = takes_lane
        self.preemptions = 0  # of work that had begun
        self.begun_at: float | None = None  # when the engine began with it, where it has a slot
        self.placed_on: int | None = None  # the lane of the slot that it has
        self._preemptions_max = preemptions_max
        self._number = next(_numbers)
        self._placed: asyncio.Future[None] | None = None  # while it waits
        self._preempted = False
        self._task: asyncio.Task[Any] | None = None  # that works on the slot
        self._stopped = False  # the task is cancelled, and not by anybody else

    @property
    def insists(self) -> bool:
        """Whether nobody is to have the slot in its stead any more."""
        return not self.interactive and self.preemptions >= self._preemptions_max

    @property
    def stays(self) -> bool:
        """Whether it keeps the slot that it has until it ends."""
        return self.interactive or self.insists or not self._may_stop()

    @property
    def turn(self) -> tuple[bool, bool, bool, int]:
        """By what claims that wait are sorted; the older goes first, also when it comes back."""
        return not self.insists, not self.interactive, not self._has_priority, self._number

    async def wait_among(self, waiting: list["Claim"], admit: Callable[[], None]) -> None:
        """Return once `admit` has taken the claim from among those that wait, and placed it."""
        self._placed = asyncio.get_running_loop().create_future()
        bisect.insort(waiting, self, key=attrgetter("turn"))
        admit()
        await self._placed

    def place_on(self, lane: int) -> bool:
        """Give the request its lane, unless it has gone away."""
        if self._placed is not None:
            # The future of a cancelled call is done before the call itself learns of it.
            if self._placed.done():
                return False
            self._placed.set_result(None)
        self.placed_on = lane
        return True

    def preempt(self) -> None:
        """Stop what the request does on its slot, which another is to have."""
        self._preempted = True
        self.preemptions += self.begun_at is not None
        self.placed_on = None
        # Soon, for it may be the request's own end that makes room; what is finished stands.
        asyncio.get_running_loop().call_soon(self._stop)

    def _stop(self) -> None:
        if self._preempted and self._task is not None and not self._stopped:
            self._stopped = True
            self._task.cancel()

    def begin(self) -> int:
        """Have the present task work on the slot until `end`, and return the lane.

        Preempted if another has the slot already.
        """
        if self.placed_on is None:
            raise Preempted
        self._task = asyncio.current_task()
        return self.placed_on

    def end(self, error: BaseException | None) -> None:
        """Say how the work on the slot ended; Preempted if that was why.

        What it has finished by then stands.
        """
        task, self._task = self._task, None
        assert task is not None, "it has begun"
        if not self._stopped:
            return
        self._stopped = False
        others = task.uncancel()  # who cancelled it as well, and not for the slot
        if not others and isinstance(error, asyncio.CancelledError | TimeoutError):
            raise Preempted from error

    def forget(self) -> None:
        """Be as before the slot."""
        self.placed_on = None
        self.begun_at = None
        self._placed = None
        self._preempted = False


class HeldSlot:
    """A slot for a claim while the body runs, and the wait for it; what it yields is the lane.

    Raises Preempted where an interactive call is to have the slot. It is no generator, which
    would cost as much again as everything else that a request needs to have a lane.
    """

    def __init__(
        self,
        claim: Claim,
        take: Callable[[Claim], Awaitable[None]],
        release: Callable[[Claim], None],
    ) -> None:
        self._claim = claim
        self._take = take
        self._release = release

    async def __aenter__(self) -> int:
        try:
            await self._take(self._claim)
            return self._claim.begin()
        except BaseException:
            self._leave()
            raise

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._claim.end(error)
        finally:
            self._leave()

    def _leave(self) -> None:
        self._release(self._claim)
        self._claim.forget()
