"""An operator's command beside a server: the folder is brought up to date by who has it alone."""

from pathlib import Path

import pytest

from support.store.migrated import put_migrated
from toplu.errors import ConfigurationError
from toplu.store.data_folder import DataFolder
from toplu.wiring.storage import open_beside_a_server


@pytest.fixture
def data(tmp_path: Path) -> DataFolder:
    data = DataFolder(tmp_path)
    data.create()
    return data


async def test_a_folder_that_nobody_uses_is_brought_up_to_date(data: DataFolder) -> None:
    async with open_beside_a_server(data, None) as storage:
        assert await storage.keys.all() == []


async def test_a_folder_in_use_is_not_brought_up_to_date(data: DataFolder) -> None:
    with data.shared(), pytest.raises(ConfigurationError, match="owned by another server"):
        async with open_beside_a_server(data, None):
            pass


async def test_a_command_works_beside_a_server(data: DataFolder) -> None:
    put_migrated(data.database)
    with data.owned():
        async with open_beside_a_server(data, None) as storage:
            assert await storage.keys.all() == []
