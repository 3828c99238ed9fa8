"""One lane of an engine at work: it takes requests of its span and keeps its slots full.

    take → read → answer → write → add      in a loop: a hand, of which there are at most `window`

A hand that begins a request leaves another one behind, which looks for the next as long as any may.
When its span has no request left to start, the next one is found while the last answers are
still coming: a lane never idles between shards or jobs. One that is reserved for interactive calls
takes nothing, and what it had is done on the others.
"""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import structlog

from toplu.batch.loop import AFTER_A_FAULT, Wakeup
from toplu.batch.plan.order import RequestLine
from toplu.batch.run.dispatcher import Assignment, Dispatcher
from toplu.batch.run.leased_shards import LeasedShards
from toplu.batch.run.request_runner import RequestRunner
from toplu.batch.run.result_writer import ResultWriter
from toplu.disk_faults import is_disk_fault
from toplu.fleet.lanes.lanes import SLOTS_PER_LANE
from toplu.fleet.pool import EngineGivenUp, EngineStopped
from toplu.job import Lease

log = structlog.get_logger()

IDLE = timedelta(seconds=5)


class LaneWorker:
    """Works on one lane until it is drained."""

    def __init__(
        self,
        *,
        lane: int,
        window: int,
        has_peers: bool,
        dispatcher: Dispatcher,
        shards: LeasedShards,
        requests: RequestRunner,
        writer: ResultWriter,
        wakeup: Wakeup,
        is_reserved: Callable[[int], bool],
        is_cut_off: Callable[[], bool],
    ) -> None:
        self._lane = lane
        self._is_reserved = is_reserved
        self._is_cut_off = is_cut_off
        self._dispatcher = dispatcher
        self._shards = shards
        self._requests = requests
        self._writer = writer
        # With one lane there is no other that may be free first.
        self._is_one_behind = window == SLOTS_PER_LANE and has_peers
        self._window = window
        self._hands = 0
        self._outstanding = 0  # requests that hands have
        self._looking = asyncio.Lock()  # one hand at a time looks for a request
        self._wakeup = wakeup
        self._assignment: Assignment | None = None
        self._after: Lease | None = None  # the one that it worked under last
        self._draining = False

    async def run(self) -> None:
        """Take and answer until drained; returns when the last request in flight is answered."""
        async with asyncio.TaskGroup() as hands:
            self._add_hand(hands)

    def drain(self) -> None:
        """Start nothing more."""
        self._draining = True
        self._wakeup.set()

    def _add_hand(self, hands: asyncio.TaskGroup) -> None:
        self._hands += 1
        hands.create_task(self._work(hands))

    async def _work(self, hands: asyncio.TaskGroup) -> None:
        """Take requests and answer them, one after another, until drained."""
        while (taken := await self._wait_for_request()) is not None:
            self._outstanding += 1
            if self._outstanding == self._hands < self._window:
                self._add_hand(hands)
            await self._answer(*taken)
            self._outstanding -= 1
            self._wakeup.set()
            # An engine that answers at once would leave nobody else a turn.
            await asyncio.sleep(0)

    async def _wait_for_request(self) -> tuple[Assignment, tuple[RequestLine, ...]] | None:
        async with self._looking:
            if not self._writer.has_room:
                await self._writer.wait_for_room()
            return await self._next_request()

    async def _next_request(self) -> tuple[Assignment, tuple[RequestLine, ...]] | None:
        while not self._draining:
            if self._is_reserved(self._lane):
                self._set_aside()
            elif self._assignment is not None and len(self._assignment.span):
                if not (self._outstanding and self._is_to_wait()):
                    if not await self._keeps_turn(self._assignment):
                        continue
                    if self._is_cut_off():
                        await self._wakeup.wait(AFTER_A_FAULT)
                        continue
                    if (taken := self._dispatcher.take(self._assignment)) is not None:
                        return taken
                # Held back: the wakeup is set when one of those that run is further.
            elif await self._find_work():
                continue
            await self._wakeup.wait(IDLE)
        return None

    async def _keeps_turn(self, assignment: Assignment) -> bool:
        if self._dispatcher.has_quantum(self._lane, assignment.shard.lease.job):
            return True
        try:
            return await self._dispatcher.keeps_turn(self._lane, assignment.shard)
        except OSError as fault:
            # The database is away, say: nobody knows who else waits, and this is leased.
            log.warning("turn_not_ended", lane=self._lane, reason=fault.strerror)
            return True

    def _is_to_wait(self) -> bool:
        """Return whether no request is to go behind the one that runs: another lane may be free."""
        return self._dispatcher.is_scarce or (
            self._is_one_behind and self._dispatcher.is_last_phase
        )

    def _set_aside(self) -> None:
        """Leave what is assigned to others, and the lane to interactive calls."""
        assignment, self._assignment = self._assignment, None
        rest = assignment.shard if assignment is not None and len(assignment.span) else None
        self._dispatcher.set_aside(self._lane, rest, idle=not self._outstanding)

    async def _find_work(self) -> bool:
        try:
            found = await self._dispatcher.assign(
                self._lane, self._after, idle=not self._outstanding
            )
        except Exception as fault:
            # The database is away, say. The requests in flight go on; leasing is tried again.
            if is_disk_fault(fault):
                log.warning("lease_failed", lane=self._lane, reason=fault.strerror)
            else:
                log.exception("lease_failed", lane=self._lane)
            await self._wakeup.wait(AFTER_A_FAULT)
            return True
        self._assignment = found
        if found is not None:
            self._after = found.shard.lease
        return found is not None

    async def _answer(self, assignment: Assignment, duplicates: tuple[RequestLine, ...]) -> None:
        """Give each request its one outcome, unless the shard is dropped meanwhile."""
        shard = assignment.shard
        try:
            with shard.traced.active():
                await self._add_outcomes(assignment, duplicates)
        except asyncio.CancelledError:
            # With its shard, unless somebody else wants the hand to end as well.
            if not shard.stopped or _present_task().uncancel():
                raise
        except EngineGivenUp as error:
            if not shard.dropped:
                await self._shards.give_up(shard, error)
        except OSError as fault:
            # A disk that cannot be read says nothing of the request: it runs again when the lease
            # has lapsed.
            log.warning("request_not_read", job=shard.lease.job.id, reason=fault.strerror)
            shard.drop()
        except EngineStopped:
            # The fleet ends. What was not answered runs in the next life of the server.
            self.drain()

    async def _add_outcomes(
        self, assignment: Assignment, duplicates: tuple[RequestLine, ...]
    ) -> None:
        shard, task = assignment.shard, _present_task()

        def note_read() -> None:
            if assignment.span.note_read(duplicates[0]):
                self._wakeup.set()

        shard.started(task)
        try:
            async for records in self._requests.outcomes(
                shard.lease.job, duplicates, lane=self._lane, begun=note_read
            ):
                if shard.dropped:
                    return
                if not records[0].usage.reused_requests:
                    self._dispatcher.note_answer(records[0].usage.output_tokens)
                # Together, so that what asks the same is durable together.
                for record in records:
                    self._writer.add(shard, record)
        finally:
            shard.ended(task)
            note_read()


def _present_task() -> asyncio.Task[Any]:
    task = asyncio.current_task()
    assert task is not None, "a coroutine runs in a task"
    return task
