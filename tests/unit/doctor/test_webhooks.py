"""`toplu doctor` finds webhooks that nobody is told by."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from support.store.rows import PROJECT
from support.webhooks.receiver import Receiver
from support.webhooks.webhook_world import WebhookWorld
from toplu.doctor.check import Check, Verdict
from toplu.doctor.webhooks import check_webhooks
from toplu.settings.outbound import WebhookSettings
from toplu.settings.server import Settings

URI = "https://receiver.invalid/hook"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[WebhookWorld]:
    world = await WebhookWorld.open(tmp_path)
    yield world
    await world.close()


async def checks_of(world: WebhookWorld) -> list[Check]:
    settings = Settings(
        data_dir=world.folder,
        webhooks=WebhookSettings(key_file=world.folder / "webhooks.key"),
    )
    return [check async for check in check_webhooks(settings, world.database)]


async def test_where_there_is_none_nothing_is_said(world: WebhookWorld) -> None:
    assert await checks_of(world) == []


async def test_secrets_that_open_are_fine(world: WebhookWorld) -> None:
    webhook, _ = await world.webhook(URI)
    await world.library().rotate(webhook)
    (check,) = await checks_of(world)
    assert (check.verdict, check.found) == (Verdict.OK, "1, whose secrets open")


async def test_a_lost_key_is_a_fault_with_its_mend(world: WebhookWorld) -> None:
    await world.webhook(URI)
    (world.folder / "webhooks.key").unlink()
    other, _ = await world.webhook(URI, name="other")
    (check,) = await checks_of(world)
    assert check.verdict is Verdict.FAULT
    assert check.found.endswith("does not open the secrets of 1 of 2")
    assert "toplu webhooks rotate" in check.mend
    assert other.project == PROJECT


async def test_a_file_that_everybody_can_read_is_a_fault(world: WebhookWorld) -> None:
    await world.webhook(URI)
    (world.folder / "webhooks.key").chmod(0o644)
    (check,) = await checks_of(world)
    assert check.verdict is Verdict.FAULT
    assert "chmod 600" in check.found


async def test_webhooks_that_failed_for_days_are_a_warning(world: WebhookWorld) -> None:
    with Receiver(500) as receiver:
        webhook, _ = await world.webhook(receiver.uri)
        for _ in range(2):
            await world.library().ping(webhook)
            await world.courier().step()
            world.clock.advance(timedelta(days=4))
    (check,) = await checks_of(world)
    assert (check.verdict, check.found) == (
        Verdict.WARNING,
        "1 are disabled, after days of failures",
    )
