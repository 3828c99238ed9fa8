"""Keepers of all processes of a server, each with its order."""

import msgspec

from toplu.clock import Clock
from toplu.serving.supervision.keeper import Keeper
from toplu.serving.supervision.orders import Order
from toplu.settings.replicas import dealt, divide
from toplu.settings.server import Settings


class Keepers:
    """Makes them; none is started."""

    def __init__(self, settings: Settings, clock: Clock, *, lock: int, listener: int) -> None:
        self._settings = settings
        # The api answers monitors for all of them.
        self._of_workers = msgspec.structs.replace(settings, metrics_port=None)
        self._clock = clock
        # The lock goes with the last process that has it: nobody else begins before that.
        self._lock = lock
        self._listener = listener

    def api(self) -> Keeper:
        """Return that of the process that answers calls."""
        order = Order(name="api", role="api", settings=self._settings, listener=self._listener)
        return Keeper(order, [self._lock, self._listener], self._clock)

    def workers(self) -> list[Keeper]:
        """Return those of the workers that are there all the time."""
        shares = divide(dealt(self._settings), self._settings.workers)
        return [
            Keeper(self._worker(f"worker-{number}", replicas), [self._lock], self._clock)
            for number, replicas in enumerate(shares, start=1)
        ]

    def replica(self, model: str, number: int) -> Keeper:
        """Return that of the worker of one replica, which comes and goes."""
        order = self._worker(f"{model}-{number + 1}", {model: [number]})
        return Keeper(order, [self._lock], self._clock, ends_all=False)

    def _worker(self, name: str, replicas: dict[str, list[int]]) -> Order:
        return Order(name=name, role="worker", settings=self._of_workers, replicas=replicas)
