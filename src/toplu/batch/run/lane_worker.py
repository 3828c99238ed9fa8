"""One lane of an engine at work: it takes requests of its span and keeps its places full.

    take → read → answer → write → add      one task for duplicates, `window` of them at a time

When its span has no request left to start, the next one is found while the last answers are
still coming: a lane never idles between shards or jobs. One that is reserved for interactive calls
rests, and what it had is done on the others.
"""

import asyncio
from collections.abc import Callable
from datetime import timedelta

import structlog

from toplu.batch.loop import AFTER_A_FAULT
from toplu.batch.plan.order import RequestLine
from toplu.batch.run.leased_shard import LeasedShard
from toplu.batch.run.leased_shards import LeasedShards
from toplu.batch.run.request_runner import RequestRunner
from toplu.batch.run.result_writer import ResultWriter
from toplu.batch.run.span import Span
from toplu.fleet.lanes.lanes import PLACES_PER_LANE
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
        held: LeasedShards,
        requests: RequestRunner,
        writer: ResultWriter,
        is_reserved: Callable[[int], bool],
    ) -> None:
        self._lane = lane
        self._rests = is_reserved
        self._held = held
        self._requests = requests
        self._writer = writer
        # With one lane there is no other that may be free first.
        self._is_one_behind = window == PLACES_PER_LANE and len(held.wakeups) > 1
        self._places = asyncio.Semaphore(window)
        self._outstanding = 0
        self._wakeup = held.wakeups[lane]
        self._at_hand: tuple[LeasedShard, Span] | None = None
        self._after: Lease | None = None  # the one that it worked under last
        self._draining = False

    async def run(self) -> None:
        """Take and answer until drained; returns when the last request in flight is answered."""
        async with asyncio.TaskGroup() as requests:
            while True:
                await self._writer.wait_for_room()
                await self._places.acquire()
                taken = await self._next_request()
                if taken is None:
                    return
                run, span, duplicates = taken
                self._outstanding += 1
                task = requests.create_task(self._answer(run, span, duplicates))
                run.started(task)
                task.add_done_callback(self._ended)

    def drain(self) -> None:
        """Start nothing more."""
        self._draining = True
        self._wakeup.set()

    def _ended(self, _: "asyncio.Task[None]") -> None:
        self._outstanding -= 1
        self._places.release()
        self._wakeup.set()

    async def _next_request(
        self,
    ) -> tuple[LeasedShard, Span, tuple[RequestLine, ...]] | None:
        while not self._draining:
            if self._rests(self._lane):
                self._step_aside()
                await self._wakeup.wait(IDLE)
                continue
            if self._at_hand is not None and len(self._at_hand[1]):
                run, span = self._at_hand
                if not (self._outstanding and self._is_to_wait()):
                    if not (
                        self._held.has_quantum(self._lane)
                        or await self._held.keeps_turn(self._lane, run)
                    ):
                        continue
                    if (taken := self._held.take(run, span)) is not None:
                        return taken
                # Held back: the wakeup rings when one of those that run is further.
                await self._wakeup.wait(IDLE)
                continue
            if not await self._find_span():
                await self._wakeup.wait(IDLE)
        return None

    def _is_to_wait(self) -> bool:
        """Whether no request is to go behind the one that runs: another lane may be free first."""
        return self._held.is_scarce or (self._is_one_behind and self._held.is_last_phase)

    def _step_aside(self) -> None:
        """Leave what is at hand to others, and the lane to interactive calls."""
        run, span = self._at_hand or (None, ())
        idle = not self._outstanding
        self._held.rest(self._lane, run if len(span) else None, idle=idle)
        self._at_hand = None

    async def _find_span(self) -> bool:
        try:
            found = await self._held.next_span(self._lane, self._after, idle=not self._outstanding)
        except Exception:
            # The database is away, say. The requests in flight go on; leasing is tried again.
            log.exception("lease_failed", lane=self._lane)
            await self._wakeup.wait(AFTER_A_FAULT)
            return True
        self._at_hand = found
        if found is not None:
            self._after = found[0].lease
        return found is not None

    async def _answer(
        self, run: LeasedShard, span: Span, duplicates: tuple[RequestLine, ...]
    ) -> None:
        """Give each request its one outcome, unless the run is dropped meanwhile."""
        job = run.lease.job

        def note_read() -> None:
            if span.note_read(duplicates[0]):
                self._wakeup.set()

        try:
            async for records in self._requests.outcomes(
                job, duplicates, lane=self._lane, begun=note_read
            ):
                if run.dropped:
                    return
                self._held.note_answer(records[0].usage.output_tokens)
                # Together, so that what asks the same is durable together.
                for record in records:
                    self._writer.add(run, record)
        except EngineGivenUp as error:
            if not run.dropped:
                await self._held.give_up(run, error)
        except EngineStopped:
            # The fleet ends. What was not answered runs in the next life of the server.
            self.drain()
        finally:
            note_read()
