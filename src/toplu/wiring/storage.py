"""Opens what a data folder holds: rows, bytes and the search index."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Self

from toplu.clock import Clock
from toplu.files.parts.bucket_parts import BucketParts
from toplu.files.parts.part import Parts
from toplu.files.parts.partial_file import PartialFiles
from toplu.settings.server import BucketSettings, Settings, StoreSettings
from toplu.store.blobs.blobs import UNFINISHED, Blobs, DiskBlobs
from toplu.store.blobs.bucket import Bucket
from toplu.store.blobs.bucket_blobs import BucketBlobs
from toplu.store.blobs.bucket_connection import open_bucket
from toplu.store.blobs.bucket_results import BucketResults
from toplu.store.blobs.result_log import ResultLog
from toplu.store.blobs.results import Results
from toplu.store.blobs.scratch import Scratch
from toplu.store.data_folder import DataFolder
from toplu.store.rows.audit import AuditRows
from toplu.store.rows.backlog import BacklogRows
from toplu.store.rows.caches import CacheRows
from toplu.store.rows.database import Database, SchemaOlder
from toplu.store.rows.deletions import DeletionRows
from toplu.store.rows.deliveries import DeliveryRows
from toplu.store.rows.files import FileRows
from toplu.store.rows.jobs import JobRows
from toplu.store.rows.keys import KeyRows
from toplu.store.rows.ledger import LedgerRows
from toplu.store.rows.postgres import PostgresDatabase
from toplu.store.rows.projects import ProjectRows
from toplu.store.rows.provenance import ProvenanceRows
from toplu.store.rows.rates import RateRows
from toplu.store.rows.removal import RemovalRows
from toplu.store.rows.reuse import ReuseRows
from toplu.store.rows.spent import SpentRows
from toplu.store.rows.sqlite import SqliteDatabase
from toplu.store.rows.steps import StepRows
from toplu.store.rows.token_counts import TokenCounts
from toplu.store.rows.uploads import UploadSessions
from toplu.store.rows.webhook_secrets import SecretRows
from toplu.store.rows.webhooks import WebhookRows
from toplu.store.rows.workers import WorkerRows
from toplu.store.search_index import SearchIndex
from toplu.store.worker_lives import WorkerLives
from toplu.workers.dead_workers import LIFE

IN_THE_FOLDER = StoreSettings()


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """Everything durable, each part by its own contract."""

    data: DataFolder  # that has all of it
    database: Database  # that has the rows
    blobs: Blobs
    results: Results
    bucket: Bucket | None  # that has the bytes
    lives: WorkerLives
    partial_files: Parts
    audit: AuditRows
    backlog: BacklogRows
    caches: CacheRows
    deliveries: DeliveryRows
    deletions: DeletionRows
    files: FileRows
    jobs: JobRows
    keys: KeyRows
    ledger: LedgerRows
    projects: ProjectRows
    rates: RateRows
    secrets: SecretRows
    spent: SpentRows
    removal: RemovalRows
    provenance: ProvenanceRows
    reuse: ReuseRows
    steps: StepRows
    token_counts: TokenCounts
    uploads: UploadSessions
    webhooks: WebhookRows
    workers: WorkerRows

    @property
    def clock(self) -> Clock:
        """The clock that what is in rows goes by."""
        return self.database.clock

    @classmethod
    def of(cls, data: DataFolder, database: Database, bucket: BucketSettings | None) -> Self:
        """Return the parts of the folder, whose rows are in the database."""
        bytes_kept = _Bytes.in_folder(data) if bucket is None else _Bytes.in_bucket(data, bucket)
        return cls(
            data=data,
            database=database,
            blobs=bytes_kept.blobs,
            results=bytes_kept.results,
            bucket=bytes_kept.bucket,
            partial_files=bytes_kept.partial_files,
            lives=data.lives,
            audit=AuditRows(database),
            backlog=BacklogRows(database),
            caches=CacheRows(database),
            deliveries=DeliveryRows(database),
            deletions=DeletionRows(database),
            files=FileRows(database),
            jobs=JobRows(database),
            keys=KeyRows(database),
            ledger=LedgerRows(database),
            projects=ProjectRows(database),
            rates=RateRows(database),
            secrets=SecretRows(database),
            spent=SpentRows(database),
            removal=RemovalRows(database),
            provenance=ProvenanceRows(database),
            reuse=ReuseRows(database),
            steps=StepRows(database),
            token_counts=TokenCounts(database),
            uploads=UploadSessions(database),
            webhooks=WebhookRows(database),
            workers=WorkerRows(database, life=_life_in(database)),
        )


def _life_in(database: Database) -> timedelta | None:
    """Return how long a worker that is silent lives; None: locks of its machine say it."""
    return LIFE if isinstance(database, PostgresDatabase) else None


@dataclass(frozen=True, slots=True)
class _Bytes:
    """The parts that have bytes."""

    blobs: Blobs
    results: Results
    partial_files: Parts
    bucket: Bucket | None = None

    @classmethod
    def in_folder(cls, data: DataFolder) -> Self:
        blobs = DiskBlobs(data.blobs)
        return cls(blobs, ResultLog(data.results), PartialFiles(data.uploads, blobs))

    @classmethod
    def in_bucket(cls, data: DataFolder, settings: BucketSettings) -> Self:
        """Return parts that have but files of the moment in the folder."""
        bucket, scratch = open_bucket(settings), Scratch(data.blobs / UNFINISHED)
        blobs = BucketBlobs(bucket, scratch)
        return cls(blobs, BucketResults(bucket, scratch), BucketParts(bucket, blobs), bucket)


def open_folder(settings: Settings) -> DataFolder:
    """Return the data folder, made if it is not there."""
    data = DataFolder(settings.data_dir)
    data.create()
    return data


@contextlib.asynccontextmanager
async def open_storage(
    data: DataFolder,
    bucket: BucketSettings | None,
    store: StoreSettings = IN_THE_FOLDER,
    *,
    upgrades: bool = True,
) -> AsyncIterator[Storage]:
    """Yield what the folder holds, but for bytes in a bucket and rows on a server; close these.

    `upgrades` brings the database up to date, which is for who holds the folder alone; SchemaOlder
    is what the others meet.
    """
    database = await open_rows(data, store, upgrades=upgrades)
    async with _closing(data, database, bucket) as storage:
        yield storage


@contextlib.asynccontextmanager
async def open_beside_a_server(
    data: DataFolder, bucket: BucketSettings | None, store: StoreSettings = IN_THE_FOLDER
) -> AsyncIterator[Storage]:
    """Yield what the folder holds, whether or not a server runs on it.

    One that is not up to date is brought so, unless a server of another version uses it.
    """
    try:
        database = await open_rows(data, store, upgrades=False)
    except SchemaOlder:
        if store.is_shared:
            raise
        with data.owned():
            database = await open_rows(data, store, upgrades=True)
    async with _closing(data, database, bucket) as storage:
        yield storage


async def open_rows(data: DataFolder, store: StoreSettings, *, upgrades: bool) -> Database:
    """Return the database, be it in the folder or on a server; see `open_storage`."""
    url = store.read_url()
    if url is None:
        return await SqliteDatabase.open(data.database, upgrades=upgrades)
    return await PostgresDatabase.open(
        url.reveal(), upgrades=upgrades, connections_max=store.connections_max
    )


@contextlib.asynccontextmanager
async def _closing(
    data: DataFolder, database: Database, bucket: BucketSettings | None
) -> AsyncIterator[Storage]:
    try:
        yield Storage.of(data, database, bucket)
    finally:
        await database.close()


def open_search_index(settings: Settings) -> SearchIndex:
    """Return the search index of a data folder, whether or not a server runs on it."""
    return SearchIndex(open_folder(settings).search)
