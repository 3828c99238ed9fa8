"""Reads what the engines of this worker are at."""

from collections.abc import Sequence

from prometheus_client.metrics_core import Metric

from toplu.fleet.fleet import Fleet
from toplu.metrics import readings


class EngineFigures:
    """The figures of a fleet."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    async def read(self) -> Sequence[Metric]:
        """Return them, as they are now."""
        at_work = self._fleet.at_work()
        servers = [((model, server.name), server) for model, server in self._fleet.servers()]
        return [
            readings.LANES.of(((model,), room) for model, (_, room) in at_work.items()),
            readings.LANES_BUSY.of(((model,), busy) for model, (busy, _) in at_work.items()),
            readings.ENGINE_STATE.of(
                ((model, state), 1) for model, state in self._fleet.status().items()
            ),
            readings.SERVER_LIMIT.of((labels, server.limit) for labels, server in servers),
            readings.SERVER_REQUESTS.of((labels, server.in_flight) for labels, server in servers),
            readings.SERVER_BREAKER_OPEN.of((labels, server.is_open) for labels, server in servers),
        ]
