"""The middle as one piece: what takes jobs in, what works on them, and how the work ends.

    intake ──▶ planner ──▶ runners ──▶ writer ──▶ assembler        janitor
           wakeup        wakeups       wakeup       wakeup

Each is a loop that would find its work anyway; the wakeups only spare the wait.
"""

import asyncio

from toplu.batch.janitor import Janitor
from toplu.batch.jobs.admission import Admission
from toplu.batch.jobs.cancel import JobCancellation
from toplu.batch.jobs.create import JobCreation
from toplu.batch.jobs.retry import JobRetry
from toplu.batch.jobs.update import JobUpdate
from toplu.batch.lookup import Lookup
from toplu.batch.loop import Wakeup, repeat
from toplu.batch.plan.planner import Orderer, Planner
from toplu.batch.results.assembler import Assembler
from toplu.batch.results.reader import ResultReader
from toplu.batch.results.receipt import Receipts
from toplu.batch.run.executors import executor_of
from toplu.batch.run.result_writer import ResultWriter
from toplu.batch.run.runner import Runner
from toplu.batch.schedule.scheduler import Scheduler
from toplu.batch.schedule.throughput import Throughputs
from toplu.batch.schedule.wait_reason import WaitReasons
from toplu.batch.storage_faults import StorageFaults
from toplu.caches.library import CacheLibrary
from toplu.clock import Clock, random_id
from toplu.files.attachments import Attachments
from toplu.files.library import Library
from toplu.fleet.fleet import Fleet
from toplu.job import JobId
from toplu.projects.quotas import Quotas
from toplu.settings.server import Settings
from toplu.store.blobs.blobs import Blobs
from toplu.store.blobs.result_log import ResultLog
from toplu.store.rows.jobs import JobRows
from toplu.store.rows.ledger import LedgerRows

OWNER_LENGTH = 16


class Pipeline:
    """All that a batch passes between the doors and the engines."""

    def __init__(
        self,
        *,
        settings: Settings,
        clock: Clock,
        jobs: JobRows,
        blobs: Blobs,
        results: ResultLog,
        library: Library,
        fleet: Fleet,
        attachments: Attachments,
        caches: CacheLibrary,
        quotas: Quotas,
        ledger: LedgerRows,
    ) -> None:
        self._settings = settings
        self._fleet = fleet
        self._jobs = jobs
        self._owner = random_id(OWNER_LENGTH)
        self._drained = asyncio.Event()
        self._created = Wakeup()
        self._begun = Wakeup()
        self._complete = Wakeup()
        self._is_draining = False
        self._faults = faults = StorageFaults()
        self._planner = Planner(
            settings=settings,
            clock=clock,
            jobs=jobs,
            blobs=blobs,
            planned=self._wake_runners,
            begun=self._begun,
        )
        self._orderer = Orderer(
            settings=settings,
            clock=clock,
            jobs=jobs,
            blobs=blobs,
            planned=self._wake_runners,
            drop_job=self._drop_job,
            faults=faults,
        )
        speeds = Throughputs()
        self._writer = ResultWriter(
            settings=settings,
            clock=clock,
            jobs=jobs,
            results=results,
            done=self._complete,
            speeds=speeds,
            faults=faults,
        )
        scheduler = Scheduler(
            settings=settings,
            clock=clock,
            jobs=jobs,
            owner=self._owner,
            speeds=speeds,
            weight_of=quotas.weight_of,
        )
        self._runners = [
            Runner(
                engine=model.name,
                answers=executor_of(model, fleet=fleet, attachments=attachments, caches=caches),
                settings=settings,
                clock=clock,
                scheduler=scheduler,
                jobs=jobs,
                blobs=blobs,
                results=results,
                writer=self._writer,
            )
            for model in settings.models
        ]
        self._assembler = Assembler(
            settings=settings, clock=clock, jobs=jobs, blobs=blobs, results=results, faults=faults
        )
        self._janitor = Janitor(
            settings=settings,
            clock=clock,
            jobs=jobs,
            library=library,
            caches=caches,
            blobs=blobs,
            results=results,
            drop_job=self._drop_job,
        )
        admission = Admission(
            settings=settings,
            clock=clock,
            jobs=jobs,
            blobs=blobs,
            quotas=quotas,
            created=self._created,
        )
        self.intake = JobCreation(
            settings=settings, library=library, blobs=blobs, admission=admission
        )
        self.lookup = Lookup(jobs=jobs, blobs=blobs)
        self.result_reader = ResultReader(
            settings=settings, jobs=jobs, blobs=blobs, results=results, lookup=self.lookup
        )
        self.retry = JobRetry(blobs=blobs, results=self.result_reader, admission=admission)
        self.receipts = Receipts(jobs=jobs, ledger=ledger, results=self.result_reader)
        self.waits = WaitReasons(
            clock=clock,
            scheduler=scheduler,
            engines=fleet.status,
            faults=faults,
            is_draining=lambda: self._is_draining,
        )
        self.amendment = JobUpdate(clock=clock, jobs=jobs)
        self.withdrawal = JobCancellation(
            clock=clock, jobs=jobs, drop_job=self._drop_job, deleted=self._janitor.wakeup
        )

    async def recover(self) -> None:
        """Put right what the last owner of the data folder left; before anything is accepted."""
        # The folder is ours alone, so whoever else holds a lease is dead.
        await self._jobs.give_back_all_of_others(self._owner)
        await self._janitor.recover()

    async def work(self) -> None:
        """Run engines, runners and loops until cancelled."""
        async with asyncio.TaskGroup() as loops:
            loops.create_task(self._fleet.run())
            loops.create_task(repeat(self._planner.step, self._created, "planner"))
            loops.create_task(repeat(self._orderer.step, self._begun, "orderer"))
            loops.create_task(repeat(self._writer.step, self._writer.wakeup, "results"))
            loops.create_task(repeat(self._assembler.step, self._complete, "assembler"))
            loops.create_task(repeat(self._janitor.step, self._janitor.wakeup, "janitor"))
            async with asyncio.TaskGroup() as runners:
                for runner in self._runners:
                    runners.create_task(runner.run())
                    loops.create_task(repeat(runner.renew_leases, Wakeup(), "leases"))
            self._drained.set()

    async def drain(self) -> None:
        """Start no request, let those that run finish, make everything durable, give back."""
        self._is_draining = True
        for runner in self._runners:
            runner.drain()
        try:
            async with asyncio.timeout(self._settings.drain_seconds):
                await self._drained.wait()
        except TimeoutError:
            self.stop_requests()
            await self._drained.wait()
        await self._writer.flush()
        for runner in self._runners:
            await runner.give_back()

    async def tidy(self) -> None:
        """Make the janitor's round now."""
        await self._janitor.step()

    def stop_requests(self) -> None:
        """End the wait for requests that run; they will run again."""
        for runner in self._runners:
            runner.stop_requests()

    def _wake_runners(self) -> None:
        for runner in self._runners:
            runner.wake()

    def _drop_job(self, job: JobId) -> None:
        for runner in self._runners:
            runner.drop_job(job)
        self._orderer.drop_job(job)
        self._faults.clear(job)
