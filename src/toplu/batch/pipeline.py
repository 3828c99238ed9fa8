"""The loops that bring jobs from created to done, and how they end in good order.

planner ──▶ orderer ──▶ runners ──▶ writer ──▶ assembler ──▶ couriers      janitor    heartbeat
"""

import asyncio
from collections.abc import Sequence

from toplu.batch.janitor import Janitor
from toplu.batch.loop import Wakeup, repeat
from toplu.batch.plan.planner import Orderer, Planner
from toplu.batch.results.assembler import Assembler
from toplu.batch.run.result_writer import ResultWriter
from toplu.batch.run.runner import Runner
from toplu.batch.signals import Signals
from toplu.fleet.fleet import Fleet
from toplu.webhooks.courier import Courier
from toplu.workers.dead_workers import DeadWorkers
from toplu.workers.heartbeat import Heartbeat


class Pipeline:
    """Works on jobs; creating and reading them is the API's."""

    def __init__(
        self,
        *,
        drain_seconds: float,
        signals: Signals,
        fleet: Fleet,
        planner: Planner,
        orderer: Orderer,
        runners: Sequence[Runner],
        writer: ResultWriter,
        assembler: Assembler,
        couriers: Sequence[Courier],
        janitor: Janitor,
        heartbeat: Heartbeat,
        dead_workers: DeadWorkers,
    ) -> None:
        self._drain_seconds = drain_seconds
        self._signals = signals
        self._fleet = fleet
        self._planner = planner
        self._orderer = orderer
        self._runners = runners
        self._writer = writer
        self._assembler = assembler
        self._couriers = couriers
        self._janitor = janitor
        self._heartbeat = heartbeat
        self._dead_workers = dead_workers
        self._drained = asyncio.Event()
        self.is_draining = False

    async def recover(self) -> None:
        """End what workers hold that are dead, as one that lives."""
        await self._heartbeat.begin()
        await self._dead_workers.end()

    async def work(self) -> None:
        """Run engines, runners and loops until cancelled."""
        signals = self._signals
        async with asyncio.TaskGroup() as loops:
            loops.create_task(self._fleet.run())
            loops.create_task(repeat(self._planner.step, signals.created, "planner"))
            loops.create_task(repeat(self._orderer.step, signals.begun, "orderer"))
            loops.create_task(repeat(self._writer.step, self._writer.wakeup, "results"))
            loops.create_task(repeat(self._assembler.step, signals.complete, "assembler"))
            for courier in self._couriers:
                loops.create_task(repeat(courier.step, signals.told, "couriers"))
            loops.create_task(repeat(self._janitor.step, signals.deleted, "janitor"))
            loops.create_task(repeat(self._dead_workers.step, Wakeup(), "dead workers"))
            loops.create_task(repeat(self._heartbeat.step, signals.engine_changed, "heartbeat"))
            async with asyncio.TaskGroup() as runners:
                for runner in self._runners:
                    runners.create_task(runner.run())
                    loops.create_task(repeat(runner.renew_leases, Wakeup(), "leases"))
            self._drained.set()

    async def drain(self) -> None:
        """Start no request, let those that run finish, make everything durable, give back."""
        self.is_draining = True
        for runner in self._runners:
            runner.drain()
        try:
            async with asyncio.timeout(self._drain_seconds):
                await self._drained.wait()
        except TimeoutError:
            self.stop_requests()
            await self._drained.wait()
        await self._writer.flush()
        for runner in self._runners:
            await runner.give_back()

    async def end(self) -> None:
        """Hold nothing any more, after the work."""
        await self._heartbeat.end()

    async def tidy(self) -> None:
        """Make the janitor's round now."""
        await self._janitor.step()

    def stop_requests(self) -> None:
        """End the wait for requests that run; they will run again."""
        for runner in self._runners:
            runner.stop_requests()
