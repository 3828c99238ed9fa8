"""A database and the rooms over it, each fixture parametrised so that another store can join."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from support.bucket import own_part
from support.fake_clock import FakeClock
from support.store.migrated import open_migrated
from support.store.stores import POSTGRES, SQLITE
from toplu.settings.storage.bucket import BucketSettings
from toplu.store.blobs.blobs import Blobs, DiskBlobs
from toplu.store.blobs.bucket import Bucket
from toplu.store.blobs.bucket_blobs import BucketBlobs
from toplu.store.blobs.bucket_connection import open_bucket
from toplu.store.blobs.bucket_results import BucketResults
from toplu.store.blobs.result_log import ResultLog
from toplu.store.blobs.results import Results
from toplu.store.blobs.scratch import Scratch
from toplu.store.rows.database import Database
from toplu.store.rows.files import FileRows
from toplu.store.rows.jobs import JobRows
from toplu.store.rows.postgres import PostgresDatabase

Opening = Callable[[], Awaitable[Database]]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(params=[SQLITE, POSTGRES])
async def opening(request: pytest.FixtureRequest, tmp_path: Path) -> Opening:
    """Opens a database that is empty the first time, again as another process does."""
    if request.param == SQLITE:
        return lambda: open_migrated(tmp_path / "toplu.db")
    url = await request.getfixturevalue("postgres").migrated()
    return lambda: PostgresDatabase.open(url)


@pytest.fixture
async def database(opening: Opening) -> AsyncIterator[Database]:
    database = await opening()
    yield database
    await database.close()


@pytest.fixture
def jobs(database: Database) -> JobRows:
    return JobRows(database)


@pytest.fixture
def files(database: Database) -> FileRows:
    return FileRows(database)


BOTH = ["disk", pytest.param("bucket", marks=pytest.mark.system)]


@pytest.fixture
def bucket(store: BucketSettings) -> Bucket:
    return open_bucket(own_part(store))


@pytest.fixture(params=BOTH)
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Blobs:
    if request.param == "disk":
        return DiskBlobs(tmp_path / "blobs")
    return BucketBlobs(request.getfixturevalue("bucket"), Scratch(tmp_path / "scratch"))


@pytest.fixture(params=BOTH)
def results(request: pytest.FixtureRequest, tmp_path: Path) -> Results:
    if request.param == "disk":
        return ResultLog(tmp_path / "results")
    return BucketResults(request.getfixturevalue("bucket"), Scratch(tmp_path / "scratch"))


@pytest.fixture
async def both(database: Database, opening: Opening) -> AsyncIterator[list[Database]]:
    """Two connections to one database, as two processes have them."""
    other = await opening()
    yield [database, other]
    await other.close()
