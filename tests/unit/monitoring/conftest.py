from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.api.local_server import ECHO
from support.batch.batch_world import BatchWorld


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[BatchWorld]:
    world = await BatchWorld.open(tmp_path, models=(ECHO,))
    yield world
    await world.close()
