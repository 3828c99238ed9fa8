"""Models whose replicas come and go: their calls are told to all, and wait for a first replica.

call ── "called", once a second ──▶ who places replicas ──▶ a worker reports ──▶ its door
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from datetime import timedelta

from toplu.batch.loop import Wakeup
from toplu.batch.signals import Signals
from toplu.errors import NoWorker
from toplu.settings.server import Settings
from toplu.workers.roster import Worker

TELL_SECONDS = 1.0
LOOK = timedelta(seconds=1)
RETRY_SECONDS = 5
STARTS = "A replica of this model is being started. Please try again later."

Find = Callable[[], Awaitable[Sequence[Worker]]]


class ElasticModels:
    """The calls of one process that answers them."""

    def __init__(self, settings: Settings, signals: Signals) -> None:
        self._names = {model.name for model in settings.models if model.is_elastic}
        self._waiting_max = settings.interactive_waiting_max
        self._seconds_max = settings.cluster.start_wait_seconds
        self._tell = signals.called
        self._told: set[str] = set()  # within the last second
        self._in_flight: Counter[str] = Counter()
        self._waiting: Counter[str] = Counter()
        self._reported = Wakeup()
        signals.when_reported(self._reported.set)

    @contextlib.contextmanager
    def calling(self, model: str) -> Iterator[None]:
        """Have all know that the model is called, while the body runs."""
        if model not in self._names:
            yield
            return
        self._in_flight[model] += 1
        self._note(model)
        try:
            yield
        finally:
            self._in_flight[model] -= 1

    async def wait(self, model: str, find: Find) -> Sequence[Worker]:
        """Return workers as soon as some are found; NoWorker: none, too late or too many wait."""
        if model not in self._names:
            return ()
        if self._waiting[model] >= self._waiting_max:
            raise _starts()
        self._waiting[model] += 1
        try:
            with self.calling(model):
                async with asyncio.timeout(self._seconds_max):
                    while not (workers := await find()):
                        await self._reported.wait(LOOK)
                    return workers
        except TimeoutError:
            raise _starts() from None
        finally:
            self._waiting[model] -= 1

    @contextlib.asynccontextmanager
    async def telling(self) -> AsyncIterator[None]:
        """Tell of the calls in flight again and again, while the body runs."""
        async with asyncio.TaskGroup() as tasks:
            telling = tasks.create_task(self._tell_again())
            try:
                yield
            finally:
                telling.cancel()

    async def _tell_again(self) -> None:
        while True:
            await asyncio.sleep(TELL_SECONDS)
            self._told.clear()
            for model in +self._in_flight:
                self._note(model)

    def _note(self, model: str) -> None:
        if model not in self._told:
            self._told.add(model)
            self._tell(model)


def _starts() -> NoWorker:
    error = NoWorker(STARTS)
    error.retry_seconds = RETRY_SECONDS
    return error
