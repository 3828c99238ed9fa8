from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.batch.batch_world import BatchWorld
from toplu.settings.model import ModelSettings

ELASTIC = ModelSettings(name="echo", engine="echo", lanes=2, replicas_max=4)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[BatchWorld]:
    world = await BatchWorld.open(tmp_path, models=(ELASTIC,))
    yield world
    await world.close()
