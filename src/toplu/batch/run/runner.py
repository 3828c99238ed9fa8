"""Hop 5: keeps one engine's lanes full with the requests of leased shards."""

import asyncio
from datetime import timedelta

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
from toplu.store.blobs.result_log import ResultLog
from toplu.store.rows.jobs import JobRows


class Runner:
    """Works for one engine, on all its lanes, until it is drained."""

    def __init__(
        self,
        *,
        engine: str,
        answers: Executor,
        settings: Settings,
        clock: Clock,
        scheduler: Scheduler,
        jobs: JobRows,
        blobs: Blobs,
        results: ResultLog,
        writer: ResultWriter,
    ) -> None:
        self._scheduler = scheduler
        self._writer = writer
        self._held = LeasedShards(
            engine=engine,
            lanes=answers.lanes,
            window=answers.window,
            share_cache=answers.share_cache,
            settings=settings,
            clock=clock,
            scheduler=scheduler,
            jobs=jobs,
            blobs=blobs,
            results=results,
            writer=writer,
        )
        requests = RequestRunner(answers, settings)
        self._lanes = [
            LaneWorker(
                lane=lane,
                window=answers.window,
                held=self._held,
                requests=requests,
                writer=writer,
                is_reserved=answers.is_reserved,
            )
            for lane in range(answers.lanes)
        ]

    async def run(self) -> None:
        """Lease and answer until drained; returns when the last request in flight is answered."""
        async with asyncio.TaskGroup() as lanes:
            for lane in self._lanes:
                lanes.create_task(lane.run())

    def wake(self) -> None:
        """Have the lanes look for work: there may be a shard to lease."""
        self._held.wake()

    def drain(self) -> None:
        """Start nothing more."""
        for lane in self._lanes:
            lane.drain()
        self._writer.unblock()

    def stop_requests(self) -> None:
        """Stop what runs, for a drain that takes too long; it will run again after the restart."""
        self._held.stop()

    async def give_back(self) -> None:
        """Give every shard back, once its results are durable."""
        await self._held.give_back()

    def drop_job(self, job: JobId) -> None:
        """Stop the job's requests; the job has become final or is gone."""
        self._held.drop_job(job)

    async def renew_leases(self) -> timedelta:
        """Keep the leases alive, and drop the work of one that is no longer ours."""
        await self._held.renew()
        return self._scheduler.renewal
