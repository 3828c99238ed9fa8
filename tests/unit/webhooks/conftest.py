from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.webhooks.webhook_world import WebhookWorld


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[WebhookWorld]:
    world = await WebhookWorld.open(tmp_path)
    yield world
    await world.close()
