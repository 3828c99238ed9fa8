"""Hop 5: keeps one engine's lanes full with the requests of leased shards."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

from toplu.batch.loop import Wakeups
from toplu.batch.provenance.provenance import Provenance
from toplu.batch.reuse.reuse import Reuse
from toplu.batch.run.dispatcher import Dispatcher
from toplu.batch.run.executors import Executor
from toplu.batch.run.lane_worker import LaneWorker
from toplu.batch.run.leased_shards import LeasedShards
from toplu.batch.run.request_runner import RequestRunner
from toplu.batch.run.result_writer import ResultWriter
from toplu.batch.schedule.scheduler import Scheduler
from toplu.clock import Clock
from toplu.job import JobId
from toplu.settings.server import Settings
from toplu.store.blobs.blobs import Blobs
from toplu.store.blobs.results import Results
from toplu.store.rows.jobs import JobRows


class Runner:
    """Works for one engine, on all its lanes, until it is drained."""

    def __init__(
        self,
        *,
        engine: str,
        executor: Executor,
        settings: Settings,
        clock: Clock,
        scheduler: Scheduler,
        jobs: JobRows,
        blobs: Blobs,
        results: Results,
        writer: ResultWriter,
        reuse: Reuse | None = None,
        provenance: Provenance | None = None,
        is_cut_off: Callable[[], bool] = lambda: False,
    ) -> None:
        self._scheduler, self._writer = scheduler, writer
        self._is_cut_off = is_cut_off  # whether others may soon have what is leased here
        self._wakeups = Wakeups(executor.lanes)
        self._shards = LeasedShards(
            share_cache=executor.share_cache,
            settings=settings,
            clock=clock,
            scheduler=scheduler,
            jobs=jobs,
            blobs=blobs,
            results=results,
            writer=writer,
            wakeups=self._wakeups,
        )
        self._dispatcher = Dispatcher(
            engine=engine,
            streams=executor.window if executor.share_cache else executor.lanes,
            clock=clock,
            scheduler=scheduler,
            shards=self._shards,
            wakeups=self._wakeups,
        )
        requests = RequestRunner(executor, settings, reuse=reuse, provenance=provenance)
        self._lanes = self._build_lanes(executor, requests)

    def _build_lanes(self, executor: Executor, requests: RequestRunner) -> list[LaneWorker]:
        return [
            LaneWorker(
                lane=lane,
                window=executor.window,
                has_peers=executor.lanes > 1,
                dispatcher=self._dispatcher,
                shards=self._shards,
                requests=requests,
                writer=self._writer,
                wakeup=self._wakeups[lane],
                is_reserved=executor.is_reserved,
                is_cut_off=self._is_cut_off,
            )
            for lane in range(executor.lanes)
        ]

    async def run(self) -> None:
        """Lease and answer until drained; returns when the last request in flight is answered."""
        async with asyncio.TaskGroup() as lanes:
            for lane in self._lanes:
                lanes.create_task(lane.run())

    def wake(self) -> None:
        """Have the lanes look for work: there may be a shard to lease."""
        self._wakeups.set()

    def drain(self) -> None:
        """Start nothing more."""
        for lane in self._lanes:
            lane.drain()
        self._writer.unblock()

    def stop_requests(self) -> None:
        """Stop what runs, for a drain that takes too long; it will run again after the restart."""
        self._shards.stop()

    async def give_back(self) -> None:
        """Give every shard back, once its results are durable."""
        await self._shards.give_back()

    def drop_job(self, job: JobId) -> None:
        """Stop the job's requests; the job has become final or is gone."""
        self._shards.drop_job(job)

    def pause_job(self, job: JobId) -> None:
        """Begin nothing more of the job; what runs is finished."""
        self._shards.pause_job(job)

    async def renew_leases(self) -> timedelta:
        """Keep the leases alive, and drop the work of one that is no longer ours."""
        await self._shards.renew()
        return self._scheduler.renewal
