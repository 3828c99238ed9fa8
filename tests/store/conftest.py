"""A database and the rooms over it, each fixture parametrised so that another store can join."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.fake_clock import FakeClock
from support.store.migrated import open_migrated
from toplu.store.blobs.blobs import Blobs, DiskBlobs
from toplu.store.rows.database import Database
from toplu.store.rows.files import FileRows
from toplu.store.rows.jobs import JobRows


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(params=["sqlite"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    assert request.param == "sqlite"
    database = await open_migrated(tmp_path / "toplu.db")
    yield database
    await database.close()


@pytest.fixture
def jobs(database: Database) -> JobRows:
    return JobRows(database)


@pytest.fixture
def files(database: Database) -> FileRows:
    return FileRows(database)


@pytest.fixture(params=["disk"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Blobs:
    return {"disk": DiskBlobs}[request.param](tmp_path / "blobs")


@pytest.fixture
async def both(database: Database, tmp_path: Path) -> AsyncIterator[list[Database]]:
    """Two connections to one database, as two processes have them."""
    other = await Database.open(tmp_path / "toplu.db")
    yield [database, other]
    await other.close()
