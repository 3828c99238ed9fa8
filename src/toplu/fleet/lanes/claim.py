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

_numbers = itertools.count()


class Preempted(Exception):
    """The slot was needed for an interactive call; nothing is lost but the time."""


class Claim:
    """One request's claim, with what became of it so far."""

    def __init__(
        self,
        *,
        interactive: bool,
        lane: int | None = None,  # the only one that it wants
        takes_lane: bool = True,  # it generates, and does not merely count
        preemptions_max: int = 1,
    ) -> None:
        self.interactive = interactive
        self.lane = lane
        self.takes_lane = takes_lane
        self.preemptions = 0  # of work that had begun
        self.begun_at: float | None = None  # when the engine began with it, where it has a slot
        self._preemptions_max = preemptions_max
        self._number = next(_numbers)
        self._placed: asyncio.Future[int] | None = None
        self._preempted = False
        self._scope: asyncio.Timeout | None = None

    @property
    def insists(self) -> bool:
        """Whether nobody is to have the slot in its stead any more."""
        return not self.interactive and self.preemptions >= self._preemptions_max

    @property
    def turn(self) -> tuple[bool, bool, int]:
        """By what claims that wait are sorted; the older goes first, also when it comes back."""
        return not self.insists, not self.interactive, self._number

    async def wait_among(self, waiting: list["Claim"], admit: Callable[[], None]) -> int:
        """Return the lane, once `admit` has taken the claim from among those that wait."""
        self._preempted = False
        self.begun_at = None
        self._placed = asyncio.get_running_loop().create_future()
        bisect.insort(waiting, self, key=attrgetter("turn"))
        admit()
        return await self._placed

    def place_on(self, lane: int) -> bool:
        """Give the request its lane, unless it has gone away."""
        assert self._placed is not None, "it waits"
        # The future of a cancelled call is done before the call itself learns of it.
        if self._placed.done():
            return False
        self._placed.set_result(lane)
        return True

    def preempt(self) -> None:
        """Stop what the request does on its slot, which another is to have."""
        self._preempted = True
        self.preemptions += self.begun_at is not None
        if self._scope is not None:
            self._scope.reschedule(asyncio.get_running_loop().time())

    async def begin(self) -> None:
        """Hold the slot until `end`; Preempted if another has it already."""
        if self._preempted:
            raise Preempted
        self._scope = asyncio.timeout(None)
        await self._scope.__aenter__()

    async def end(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Say how the work on the slot ended; Preempted if that was why.

        What it has finished by then stands.
        """
        scope, self._scope = self._scope, None
        assert scope is not None, "it has begun"
        try:
            await scope.__aexit__(kind, error, trace)
        except TimeoutError as timeout:
            raise Preempted from timeout
        if scope.expired() and isinstance(error, TimeoutError):
            raise Preempted from error


class HeldSlot:
    """A slot for a claim while the body runs, and the wait for it; what it yields is the lane.

    Raises Preempted where an interactive call is to have the slot. It is no generator, which
    would cost as much again as everything else that a request needs to have a lane.
    """

    def __init__(
        self,
        claim: Claim,
        take: Callable[[Claim], Awaitable[int]],
        release: Callable[[Claim], None],
    ) -> None:
        self._claim = claim
        self._take = take
        self._release = release

    async def __aenter__(self) -> int:
        try:
            lane = await self._take(self._claim)
            await self._claim.begin()
        except BaseException:
            self._release(self._claim)
            raise
        return lane

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            await self._claim.end(kind, error, trace)
        finally:
            self._release(self._claim)
