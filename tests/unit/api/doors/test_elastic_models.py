"""Calls of models whose replicas come and go: all hear of them, and they wait for a first one."""

import asyncio
from datetime import timedelta

import pytest

from support.fake_clock import NOON
from toplu.api.doors import elastic_models as module
from toplu.api.doors.elastic_models import RETRY_SECONDS, ElasticModels
from toplu.batch.signals import Signals
from toplu.errors import NoWorker
from toplu.settings.cluster import ClusterSettings
from toplu.settings.model import ModelSettings
from toplu.settings.server import Settings
from toplu.store.rows.workers import Worker

HOUR = 3600.0
SETTINGS = Settings(
    models=(
        ModelSettings(name="m", engine="echo", replicas_max=1),
        ModelSettings(name="fixed", engine="echo"),
    ),
    interactive_waiting_max=2,
    cluster=ClusterSettings(start_wait_seconds=HOUR),
)
WORKER = Worker(id="one", started=NOON, seen=NOON)


class Front:
    """A process that answers calls, and the workers that it finds."""

    def __init__(self, settings: Settings = SETTINGS) -> None:
        self.rung: list[str] = []
        self.signals = Signals(self.rung.append)
        self.workers: list[Worker] = []
        self.models = ElasticModels(settings, self.signals)

    async def find(self) -> list[Worker]:
        return self.workers

    async def wait(self, model: str = "m") -> list[Worker]:
        return list(await self.models.wait(model, self.find))


async def test_a_call_waits_for_the_first_worker_that_reports() -> None:
    front = Front()
    waiting = asyncio.ensure_future(front.wait())
    await asyncio.sleep(0)
    assert front.rung == ["called m"]
    front.signals.hear("reported")  # by a worker without the model
    await asyncio.sleep(0)
    assert not waiting.done()
    front.workers.append(WORKER)
    front.signals.hear("reported")
    assert await waiting == [WORKER]


async def test_no_more_wait_than_may_and_no_longer() -> None:
    front = Front()
    waiting = [asyncio.ensure_future(front.wait()) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(NoWorker) as refused:
        await front.wait()
    assert refused.value.retry_seconds == RETRY_SECONDS
    front.workers.append(WORKER)
    front.signals.hear("reported")
    assert await asyncio.gather(*waiting) == [[WORKER]] * 2
    impatient = Front(
        Settings(models=SETTINGS.models, cluster=ClusterSettings(start_wait_seconds=0.001))
    )
    with pytest.raises(NoWorker) as too_late:
        await impatient.wait()
    assert too_late.value.retry_seconds == RETRY_SECONDS
    # Its place is free again.
    impatient.workers.append(WORKER)
    assert await impatient.wait() == [WORKER]


async def test_other_models_do_not_wait_and_are_not_told_of() -> None:
    front = Front()
    assert await front.wait("fixed") == []
    with front.models.calling("fixed"):
        pass
    assert front.rung == []


async def test_calls_are_told_once_a_moment_and_as_long_as_they_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "TELL_SECONDS", 0.001)
    front = Front()
    for _ in range(3):
        with front.models.calling("m"):
            pass
    assert front.rung == ["called m"]
    told_again = asyncio.Event()
    async with front.models.telling():
        front.signals.when_called(lambda _: told_again.set())
        with front.models.calling("m"):
            await told_again.wait()
        assert len(front.rung) >= 2


async def test_a_look_is_taken_where_nobody_says_that_a_worker_has_come(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "LOOK", timedelta(milliseconds=1))
    front = Front()
    waiting = asyncio.ensure_future(front.wait())
    await asyncio.sleep(0)
    front.workers.append(WORKER)
    assert await waiting == [WORKER]
