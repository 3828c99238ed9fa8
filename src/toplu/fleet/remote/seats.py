"""Keeps a server's seats taken that says how many requests run there and how many wait.

All that a server runs together is its seats, which no server tells: its own limit, and what its
memory holds of the work at hand. But where all are taken, requests wait. So it is given more than a
small job has at first, and then as many as keep a few waiting there: none is missed when one that
runs ends, and a call that comes has few before it.

    waiting  0 ──── half ──── kept ────▶         fewer than half: more are asked, if all that may
             more  │   as it is  │  fewer        be were; more than kept: so many fewer

Requests of others that wait there count alike: the server is full, whoever fills it. Requests that
are put back for want of memory are computed twice; then fewer are asked for a while.
"""

import math

from toplu.engines.http.load import ServerLoad

FIRST = 64  # a slow server answers so many before any of them has waited for too long
KEPT_SHARE, KEPT_MIN = 1 / 8, 2  # of those that run, how many are to wait
GROWTH_SHARE = 1 / 2  # of the limit, with each look that finds none waiting
CUT = 0.6  # of the limit, where the server refuses
CUT_FOR_MEMORY = 0.9  # of those that run, where some were put back
LOOKS_HELD = 10  # after that


class Seats:
    """The limit of one server, from its load."""

    def __init__(self, *, first: int, most: int) -> None:
        self.limit = min(max(first, FIRST), most)
        self._most = most
        self._preemptions: int | None = None  # as of the last look
        self._held = 0  # looks until more may be asked
        self._too_much: int | None = None  # where memory did not do

    def note(self, load: ServerLoad, in_flight: int) -> None:
        """Follow the load that was read while so many of ours were on their way."""
        kept = max(KEPT_MIN, math.ceil(KEPT_SHARE * load.running))
        running = max(1, in_flight - load.waiting)
        preempted = 0 if self._preemptions is None else load.preemptions - self._preemptions
        self._preemptions = load.preemptions
        self._held = max(0, self._held - 1)
        if preempted > 0:
            self._held = LOOKS_HELD
            self._too_much = min(self.limit, running)
            self.limit = max(1, int(CUT_FOR_MEMORY * self._too_much))
        elif load.waiting > kept:
            self.limit = min(self.limit if self._held else self._most, running + kept)
        elif load.waiting < kept / 2 and in_flight >= self.limit and not self._held:
            self.limit = min(self._most, self._grown(kept - load.waiting, load.waiting))

    def _grown(self, missing: int, waiting: int) -> int:
        if self._too_much is not None and self.limit + missing >= self._too_much:
            # With care, for it may be other work by now.
            self._held = LOOKS_HELD
            self._too_much += 1
            return self.limit + 1
        return self.limit + (missing if waiting else math.ceil(GROWTH_SHARE * self.limit))

    def refused(self) -> None:
        """Note that the server had no room for a request."""
        if self._held < LOOKS_HELD:  # else others that were on their way have nothing to add
            self._held = LOOKS_HELD
            self.limit = max(1, int(CUT * self.limit))
