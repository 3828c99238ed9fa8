import asyncio
from collections.abc import Sequence

import pytest
from prometheus_client.metrics_core import Metric

from support.figures import figure
from toplu.metrics import readings
from toplu.metrics.exposition import expose
from toplu.monitoring import exporter as exporter_module
from toplu.monitoring.exporter import Exporter


class Source:
    """A figure that is another one each time."""

    def __init__(self) -> None:
        self.read_times = 0

    async def read(self) -> Sequence[Metric]:
        self.read_times += 1
        return [readings.WORKERS.of([((), self.read_times)])]


async def test_the_text_has_what_this_process_and_others_say() -> None:
    async def others() -> Sequence[bytes]:
        return [expose("worker-1", [readings.LANES.of([(("m",), 4)])])]

    text = await Exporter("api", [Source().read], others).text()
    assert figure(text, "toplu_workers", process="api") == 1
    assert figure(text, "toplu_lanes", process="worker-1") == 4


async def test_a_reading_is_good_for_a_multiple_of_what_it_took(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 0.0
    monkeypatch.setattr(exporter_module, "monotonic", lambda: now)
    source = Source()

    async def read_slowly() -> Sequence[Metric]:
        nonlocal now
        now += 2.0
        return await source.read()

    exporter = Exporter("api", [read_slowly])
    first, second = await asyncio.gather(exporter.text(), exporter.text())
    assert first == second
    assert source.read_times == 1
    now += 20.0  # ten times as long
    await exporter.text()
    assert source.read_times == 2
