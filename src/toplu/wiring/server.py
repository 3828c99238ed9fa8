"""Builds every room from the settings; the only module that knows them all."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta

from starlette.applications import Starlette

from toplu.api.app import build_app
from toplu.api.gemini.batch_extensions import BatchExtensionsApi
from toplu.api.gemini.batches import BatchesApi
from toplu.api.gemini.caches import CachesApi
from toplu.api.gemini.embed import EmbedApi
from toplu.api.gemini.files import FilesApi
from toplu.api.gemini.generate import GenerateApi
from toplu.api.gemini.model_call import ModelCalls
from toplu.api.gemini.model_names import ModelNames
from toplu.api.gemini.models import ModelsApi
from toplu.api.gemini.uploads import UploadsApi
from toplu.api.http.gate import Gate
from toplu.api.http.health import Health
from toplu.batch.pipeline import Pipeline
from toplu.caches.library import CacheLibrary
from toplu.clock import Clock, SystemClock
from toplu.files.attachments import Attachments
from toplu.files.library import Library
from toplu.files.partial_file import PartialFiles
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
from toplu.store.data_folder import DataFolder
from toplu.store.rows.caches import CacheRows as KeptCaches
from toplu.store.rows.database import Database
from toplu.store.rows.files import FileRows as KeptFiles
from toplu.store.rows.jobs import JobRows
from toplu.store.rows.keys import KeyRows
from toplu.store.rows.ledger import LedgerRows
from toplu.store.rows.projects import ProjectRows
from toplu.store.rows.uploads import UploadSessions
from toplu.store.search_index import SearchIndex
from toplu.tools.grounding import Grounder
from toplu.tools.local_index import LocalIndex
from toplu.tools.search import RememberingSearch, SearchProvider
from toplu.tools.searxng import SearxngSearch


class Server:
    """The rooms of a server, and the application that is their door."""

    def __init__(
        self,
        *,
        settings: Settings,
        clock: Clock,
        data: DataFolder,
        database: Database,
        grounder: Grounder,
        any_key_until_first: bool,
    ) -> None:
        self._draining = False
        blobs = DiskBlobs(data.blobs)
        catalogue = Catalogue(settings.models)
        self.keys = Keys(clock=clock, issued=KeyRows(database))
        ledger_rows = LedgerRows(database)
        self.ledger = Ledger(clock=clock, rows=ledger_rows)
        self.quotas = Quotas(settings=settings, clock=clock, rows=ProjectRows(database))
        meter = Meter(settings=settings, clock=clock, quotas=self.quotas, ledger=self.ledger)
        self.fleet = Fleet(settings, catalogue, clock, grounder)
        kept = KeptFiles(database)
        sessions = UploadSessions(database)
        parts = PartialFiles(data.uploads)
        library = Library(clock=clock, files=kept, sessions=sessions, blobs=blobs, parts=parts)
        attachments = Attachments(settings=settings, library=library)
        caches = CacheLibrary(
            settings=settings,
            clock=clock,
            caches=KeptCaches(database),
            fleet=self.fleet,
            attachments=attachments,
        )
        self.pipeline = Pipeline(
            settings=settings,
            clock=clock,
            jobs=JobRows(database),
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
        calls = ModelCalls(settings=settings, names=names, meter=meter)
        gate = Gate(keys=self.keys, any_key_until_first=any_key_until_first)
        self.app: Starlette = build_app(
            gate=gate,
            batches=BatchesApi(
                settings=settings,
                names=names,
                intake=self.pipeline.intake,
                lookup=self.pipeline.lookup,
                withdrawal=self.pipeline.withdrawal,
                amendment=self.pipeline.amendment,
                waits=self.pipeline.waits,
            ),
            batch_extensions=BatchExtensionsApi(
                settings=settings,
                names=names,
                lookup=self.pipeline.lookup,
                results=self.pipeline.result_reader,
                retry=self.pipeline.retry,
                receipts=self.pipeline.receipts,
                waits=self.pipeline.waits,
            ),
            files=FilesApi(settings=settings, library=library),
            uploads=UploadsApi(
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
            models=ModelsApi(names=names),
            generate=GenerateApi(
                calls=calls,
                fleet=self.fleet,
                attachments=attachments,
                caches=caches,
                stall_seconds_max=settings.stream_stall_seconds_max,
            ),
            caches=CachesApi(settings=settings, calls=calls, library=caches),
            embed=EmbedApi(calls=calls, fleet=self.fleet),
            health=Health(fleet=self.fleet, is_draining=lambda: self._draining),
            body_silence_seconds_max=settings.body_silence_seconds_max,
        )

    async def drain(self) -> None:
        """End the work in good order; `/readyz` tells of it meanwhile."""
        self._draining = True
        await self.pipeline.drain()


@contextlib.asynccontextmanager
async def open_server(
    settings: Settings, *, any_key_until_first: bool, clock: Clock | None = None
) -> AsyncIterator[Server]:
    """Yield the rooms of a server that owns its data folder."""
    data = DataFolder(settings.data_dir)
    data.create()
    with data.owned():
        database = await Database.open(data.database)
        try:
            clock = clock or SystemClock()
            passages = SearchIndex(data.search)
            async with contextlib.aclosing(_provider(settings.search, passages, clock)) as provider:
                server = Server(
                    settings=settings,
                    clock=clock,
                    data=data,
                    database=database,
                    grounder=Grounder(provider=provider, settings=settings.search),
                    any_key_until_first=any_key_until_first,
                )
                await server.pipeline.recover()
                yield server
        finally:
            await database.close()


def _provider(settings: SearchSettings, passages: SearchIndex, clock: Clock) -> SearchProvider:
    if settings.provider == "local":
        return LocalIndex(passages)
    assert settings.url is not None, "the settings have been checked"
    return RememberingSearch(
        SearxngSearch(settings.url),
        clock=clock,
        life=timedelta(seconds=settings.cache_seconds),
        entries_max=settings.cache_entries_max,
    )


def open_passages(settings: Settings) -> SearchIndex:
    """Return the search index of a data folder, whether or not a server runs on it."""
    data = DataFolder(settings.data_dir)
    data.create()
    return SearchIndex(data.search)


@contextlib.asynccontextmanager
async def open_keys(settings: Settings) -> AsyncIterator[Keys]:
    """Yield the keys of a data folder, whether or not a server runs on it."""
    data = DataFolder(settings.data_dir)
    data.create()
    database = await Database.open(data.database)
    try:
        yield Keys(clock=SystemClock(), issued=KeyRows(database))
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
    data = DataFolder(settings.data_dir)
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
