"""The files room over a real database and a real folder, and a way to start it afresh."""

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from support.fake_clock import FakeClock
from support.files.upload_world import UploadWorld
from support.store.migrated import open_migrated
from toplu.settings.server import Settings
from toplu.store.rows.database import Database

SETTINGS = Settings(upload_bytes_max=5_000_000, project_bytes_max=6_000_000, open_uploads_max=3)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = await open_migrated(tmp_path / "toplu.db")
    yield database
    await database.close()


@pytest.fixture
def world(database: Database, tmp_path: Path) -> UploadWorld:
    settings = msgspec.structs.replace(SETTINGS, data_dir=tmp_path)
    return UploadWorld(settings, database, FakeClock())
