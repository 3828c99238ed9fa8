"""Builds every room from the settings; the only module that knows them all."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta

import structlog
from starlette.applications import Starlette

from toplu.api.app import build_app
from toplu.api.batches import Batches
from toplu.api.embed import Embed
from toplu.api.files import Files
from toplu.api.gate import Gate
from toplu.api.generate import Generate
from toplu.api.health import Health
from toplu.api.model_names import ModelNames
from toplu.api.models import Models
from toplu.api.uploads import UploadDoor
from toplu.batch.assembly import Assembler
from toplu.batch.intake import Intake
from toplu.batch.janitor import Janitor
from toplu.batch.lookup import Lookup
from toplu.batch.loop import Bell, repeat
from toplu.batch.methods import answers_of
from toplu.batch.plan import Planner
from toplu.batch.results import ResultWriter
from toplu.batch.runner import Runner
from toplu.batch.scheduler import Scheduler
from toplu.batch.withdrawal import Withdrawal
from toplu.clock import Clock, SystemClock, random_id
from toplu.documents.reader import DocumentReader
from toplu.engines.catalogue import Catalogue
from toplu.files.attachments import Attachments
from toplu.files.library import Library
from toplu.files.part import Parts
from toplu.files.uploads import Uploads
from toplu.fleet.fleet import Fleet
from toplu.job import JobId
from toplu.projects.keys import Keys
from toplu.projects.ledger import Ledger
from toplu.projects.meter import Meter
from toplu.projects.quotas import Quotas
from toplu.settings import SearchSettings, Settings
from toplu.store.blobs import DiskBlobs
from toplu.store.data_dir import DataDir
from toplu.store.database import Database
from toplu.store.files import Files as KeptFiles
from toplu.store.jobs import Jobs
from toplu.store.keys import IssuedKeys
from toplu.store.ledger import LedgerRows
from toplu.store.passages import Passages
from toplu.store.projects import ProjectRows
from toplu.store.result_log import ResultLog
from toplu.store.uploads import UploadSessions
from toplu.tools.grounding import Grounder
from toplu.tools.local_index import LocalIndex
from toplu.tools.search import RememberingSearch, SearchProvider
from toplu.tools.searxng import SearxngSearch

log = structlog.get_logger()

OWNER_LENGTH = 16


class House:
    """A server's rooms, what goes on in them, and how that comes to an orderly end."""

    def __init__(
        self,
        *,
        settings: Settings,
        clock: Clock,
        data: DataDir,
        database: Database,
        grounder: Grounder,
        any_key_until_first: bool,
    ) -> None:
        self._settings = settings
        self._draining = False
        self._drained = asyncio.Event()
        self.jobs = Jobs(database)
        self.owner = random_id(OWNER_LENGTH)
        blobs = DiskBlobs(data.blobs)
        results = ResultLog(data.results)
        catalogue = Catalogue(settings.models)
        self.keys = Keys(clock=clock, issued=IssuedKeys(database))
        self.ledger = Ledger(clock=clock, rows=LedgerRows(database))
        self.quotas = Quotas(settings=settings, clock=clock, rows=ProjectRows(database))
        meter = Meter(settings=settings, clock=clock, quotas=self.quotas, ledger=self.ledger)
        self.fleet = Fleet(settings, catalogue, clock, grounder)
        kept = KeptFiles(database)
        sessions = UploadSessions(database)
        parts = Parts(data.uploads)
        library = Library(clock=clock, files=kept, sessions=sessions, blobs=blobs, parts=parts)
        attachments = Attachments(
            settings=settings, library=library, reader=DocumentReader(settings)
        )

        self._complete = Bell()
        self._writer = ResultWriter(
            settings=settings, clock=clock, jobs=self.jobs, results=results, done=self._complete
        )
        scheduler = Scheduler(settings=settings, clock=clock, jobs=self.jobs, owner=self.owner)
        self._runners = [
            Runner(
                engine=model.name,
                answers=answers_of(model, fleet=self.fleet, attachments=attachments),
                settings=settings,
                clock=clock,
                scheduler=scheduler,
                jobs=self.jobs,
                blobs=blobs,
                results=results,
                writer=self._writer,
            )
            for model in settings.models
        ]
        self._created = Bell()
        self._planner = Planner(
            settings=settings, clock=clock, jobs=self.jobs, blobs=blobs, planned=self._ring_runners
        )
        self._assembler = Assembler(
            settings=settings, clock=clock, jobs=self.jobs, blobs=blobs, results=results
        )
        self._janitor = Janitor(
            settings=settings,
            clock=clock,
            jobs=self.jobs,
            library=library,
            blobs=blobs,
            results=results,
            drop_job=self._drop_job,
        )
        names = ModelNames(catalogue)
        gate = Gate(keys=self.keys, any_key_until_first=any_key_until_first)
        self.app: Starlette = build_app(
            gate=gate,
            batches=Batches(
                settings=settings,
                names=names,
                intake=Intake(
                    settings=settings,
                    clock=clock,
                    jobs=self.jobs,
                    library=library,
                    blobs=blobs,
                    quotas=self.quotas,
                    created=self._created,
                ),
                lookup=Lookup(jobs=self.jobs, blobs=blobs),
                withdrawal=Withdrawal(
                    clock=clock,
                    jobs=self.jobs,
                    drop_job=self._drop_job,
                    deleted=self._janitor.bell,
                ),
            ),
            files=Files(settings=settings, library=library),
            uploads=UploadDoor(
                settings=settings,
                uploads=Uploads(
                    settings=settings,
                    clock=clock,
                    files=kept,
                    sessions=sessions,
                    blobs=blobs,
                    parts=parts,
                    storage_bytes_max=self.quotas.storage_bytes_max,
                ),
                gate=gate,
            ),
            models=Models(names=names),
            generate=Generate(
                settings=settings,
                names=names,
                fleet=self.fleet,
                attachments=attachments,
                meter=meter,
            ),
            embed=Embed(settings=settings, names=names, fleet=self.fleet, meter=meter),
            health=Health(fleet=self.fleet, is_draining=lambda: self._draining),
            body_silence_seconds_max=settings.body_silence_seconds_max,
        )

    async def recover(self) -> None:
        """Put right what the last owner of the data folder left; before anything is accepted."""
        # The folder is ours alone, so whoever else holds a lease is dead.
        await self.jobs.give_back_all_of_others(self.owner)
        await self._janitor.recover()

    async def work(self) -> None:
        """Run engines, runners and loops until cancelled."""
        async with asyncio.TaskGroup() as loops:
            loops.create_task(self.fleet.run())
            loops.create_task(repeat(self._planner.step, self._created, "planner"))
            loops.create_task(repeat(self._writer.step, self._writer.bell, "results"))
            loops.create_task(repeat(self._assembler.step, self._complete, "assembler"))
            loops.create_task(repeat(self._janitor.step, self._janitor.bell, "janitor"))
            async with asyncio.TaskGroup() as runners:
                for runner in self._runners:
                    runners.create_task(runner.run())
                    loops.create_task(repeat(runner.renew_leases, Bell(), "leases"))
            self._drained.set()

    async def drain(self) -> None:
        """Start no request, let those that run finish, make everything durable, give back."""
        self._draining = True
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

    def _ring_runners(self) -> None:
        for runner in self._runners:
            runner.bell.ring()

    def _drop_job(self, job: JobId) -> None:
        for runner in self._runners:
            runner.drop_job(job)


@contextlib.asynccontextmanager
async def open_house(
    settings: Settings, *, any_key_until_first: bool, clock: Clock | None = None
) -> AsyncIterator[House]:
    """Yield the rooms of a server that owns its data folder."""
    data = DataDir(settings.data_dir)
    data.create()
    with data.owned():
        database = await Database.open(data.database)
        try:
            clock = clock or SystemClock()
            passages = Passages(data.search)
            async with contextlib.aclosing(_provider(settings.search, passages, clock)) as provider:
                house = House(
                    settings=settings,
                    clock=clock,
                    data=data,
                    database=database,
                    grounder=Grounder(provider=provider, settings=settings.search),
                    any_key_until_first=any_key_until_first,
                )
                await house.recover()
                yield house
        finally:
            await database.close()


def _provider(settings: SearchSettings, passages: Passages, clock: Clock) -> SearchProvider:
    if settings.provider == "local":
        return LocalIndex(passages)
    assert settings.url is not None, "the settings have been checked"
    return RememberingSearch(
        SearxngSearch(settings.url),
        clock=clock,
        life=timedelta(seconds=settings.cache_seconds),
        entries_max=settings.cache_entries_max,
    )


def open_passages(settings: Settings) -> Passages:
    """Return the search index of a data folder, whether or not a server runs on it."""
    data = DataDir(settings.data_dir)
    data.create()
    return Passages(data.search)


@contextlib.asynccontextmanager
async def open_keys(settings: Settings) -> AsyncIterator[Keys]:
    """Yield the keys of a data folder, whether or not a server runs on it."""
    data = DataDir(settings.data_dir)
    data.create()
    database = await Database.open(data.database)
    try:
        yield Keys(clock=SystemClock(), issued=IssuedKeys(database))
    finally:
        await database.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """What the operator reads and changes of projects."""

    ledger: Ledger
    quotas: Quotas


@contextlib.asynccontextmanager
async def open_books(settings: Settings) -> AsyncIterator[Books]:
    """Yield the books of a data folder, whether or not a server runs on it."""
    data = DataDir(settings.data_dir)
    data.create()
    database = await Database.open(data.database)
    try:
        clock = SystemClock()
        yield Books(
            ledger=Ledger(clock=clock, rows=LedgerRows(database)),
            quotas=Quotas(settings=settings, clock=clock, rows=ProjectRows(database)),
        )
    finally:
        await database.close()
