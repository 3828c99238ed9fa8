"""The slots of a local embedder: so many groups at a time, interactive ones first."""

from contextlib import AbstractAsyncContextManager

from toplu.fleet.lanes.claim import Claim, HeldSlot


class GroupSlots:
    """Nobody is preempted: a group is done before its slot could be given to another."""

    window = 1
    reason = ""

    def __init__(self, count: int) -> None:
        self.count = count
        self._free = count
        self._waiting: list[Claim] = []  # by their turn

    @property
    def room(self) -> int:
        return self.count

    @property
    def running(self) -> int:
        return self.count - self._free

    def is_reserved(self, lane: int) -> bool:  # noqa: ARG002  # groups have no lanes
        return False

    def slot(self, claim: Claim) -> AbstractAsyncContextManager[int]:
        return HeldSlot(claim, self._take, self._release)

    async def _take(self, claim: Claim) -> None:
        await claim.wait_among(self._waiting, self._admit)

    def _release(self, claim: Claim) -> None:
        if claim in self._waiting:
            self._waiting.remove(claim)
        else:
            self._free += 1
        self._admit()

    def _admit(self) -> None:
        while self._free and self._waiting:
            # One that has gone away gives its slot back as it leaves.
            self._waiting.pop(0).place_on(0)
            self._free -= 1
