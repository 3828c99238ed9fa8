"""Builds every room from the settings; the only module that knows them all."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta

from starlette.applications import Starlette

from toplu.api.app import build_app
from toplu.api.gemini.batch_extensions import BatchExtensions
from toplu.api.gemini.batches import Batches
from toplu.api.gemini.caches import Caches
from toplu.api.gemini.embed import Embed
from toplu.api.gemini.files import Files
from toplu.api.gemini.generate import Generate
from toplu.api.gemini.model_names import ModelNames
from toplu.api.gemini.models import Models
from toplu.api.gemini.uploads import UploadDoor
from toplu.api.http.gate import Gate
from toplu.api.http.health import Health
from toplu.batch.pipeline import Middle
from toplu.caches.library import CacheLibrary
from toplu.clock import Clock, SystemClock
from toplu.files.attachments import Attachments
from toplu.files.library import Library
from toplu.files.partial_file import Parts
from toplu.files.uploads import Uploads
from toplu.fleet.fleet import Fleet
from toplu.models.catalogue import Catalogue
from toplu.projects.keys import Keys
from toplu.projects.ledger import Ledger
from toplu.projects.meter import Meter
from toplu.projects.quotas import Quotas
from toplu.settings.server import SearchSettings, Settings
from toplu.store.blobs.blobs import DiskBlobs
from toplu.store.blobs.result_log import ResultLog
from toplu.store.data_folder import DataDir
from toplu.store.rows.caches import Caches as KeptCaches
from toplu.store.rows.database import Database
from toplu.store.rows.files import Files as KeptFiles
from toplu.store.rows.jobs import Jobs
from toplu.store.rows.keys import IssuedKeys
from toplu.store.rows.ledger import LedgerRows
from toplu.store.rows.projects import ProjectRows
from toplu.store.rows.uploads import UploadSessions
from toplu.store.search_index import Passages
from toplu.tools.grounding import Grounder
from toplu.tools.local_index import LocalIndex
from toplu.tools.search import RememberingSearch, SearchProvider
from toplu.tools.searxng import SearxngSearch


class House:
    """The rooms of a server, and the application that is their door."""

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
        self._draining = False
        blobs = DiskBlobs(data.blobs)
        catalogue = Catalogue(settings.models)
        self.keys = Keys(clock=clock, issued=IssuedKeys(database))
        ledger_rows = LedgerRows(database)
        self.ledger = Ledger(clock=clock, rows=ledger_rows)
        self.quotas = Quotas(settings=settings, clock=clock, rows=ProjectRows(database))
        meter = Meter(settings=settings, clock=clock, quotas=self.quotas, ledger=self.ledger)
        self.fleet = Fleet(settings, catalogue, clock, grounder)
        kept = KeptFiles(database)
        sessions = UploadSessions(database)
        parts = Parts(data.uploads)
        library = Library(clock=clock, files=kept, sessions=sessions, blobs=blobs, parts=parts)
        attachments = Attachments(settings=settings, library=library)
        caches = CacheLibrary(
            settings=settings,
            clock=clock,
            caches=KeptCaches(database),
            fleet=self.fleet,
            attachments=attachments,
        )
        self.middle = Middle(
            settings=settings,
            clock=clock,
            jobs=Jobs(database),
            blobs=blobs,
            results=ResultLog(data.results),
            library=library,
            fleet=self.fleet,
            attachments=attachments,
            caches=caches,
            quotas=self.quotas,
            ledger=ledger_rows,
        )
        names = ModelNames(catalogue)
        gate = Gate(keys=self.keys, any_key_until_first=any_key_until_first)
        self.app: Starlette = build_app(
            gate=gate,
            batches=Batches(
                settings=settings,
                names=names,
                intake=self.middle.intake,
                lookup=self.middle.lookup,
                withdrawal=self.middle.withdrawal,
                amendment=self.middle.amendment,
                waits=self.middle.waits,
            ),
            batch_extensions=BatchExtensions(
                settings=settings,
                names=names,
                lookup=self.middle.lookup,
                results=self.middle.kept_results,
                retry=self.middle.retry,
                receipts=self.middle.receipts,
                waits=self.middle.waits,
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
                caches=caches,
                meter=meter,
            ),
            caches=Caches(settings=settings, names=names, library=caches, meter=meter),
            embed=Embed(settings=settings, names=names, fleet=self.fleet, meter=meter),
            health=Health(fleet=self.fleet, is_draining=lambda: self._draining),
            body_silence_seconds_max=settings.body_silence_seconds_max,
        )

    async def drain(self) -> None:
        """End the work in good order; `/readyz` tells of it meanwhile."""
        self._draining = True
        await self.middle.drain()


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
                await house.middle.recover()
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
