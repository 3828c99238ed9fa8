"""`toplu serve`: owns the data folder and the port, and keeps the processes of a server alive.

    supervisor ──▶ api         has the port; killed, it is back while calls wait at the port
          └──────▶ worker …    each with the replicas of models that are its own

SIGTERM or SIGINT drains: workers start no request, those that run finish or go back after
`drain_seconds`, polls are answered until the end. A second signal ends the wait.
"""

import asyncio
from collections.abc import Sequence

import msgspec
import structlog

from toplu.clock import SystemClock
from toplu.models.file_checks import check_files
from toplu.serving.garbage import freeze
from toplu.serving.sockets.listener import bind, url_of
from toplu.serving.stop_signals import StopSignals
from toplu.serving.supervision.keeper import Keeper
from toplu.serving.supervision.orders import Order
from toplu.settings.replicas import divide
from toplu.settings.server import Settings
from toplu.wiring.http_server import SHUTDOWN_SECONDS
from toplu.wiring.preparation import prepare
from toplu.wiring.storage import open_folder

log = structlog.get_logger()

MARGIN_SECONDS = 5.0  # for a process to put itself away


async def supervise(settings: Settings) -> None:
    """Run a server until a signal ends it; returns when every process has ended."""
    signals = StopSignals()
    await check_files(settings.models, settings.model_dir)
    data = open_folder(settings)
    with data.owned() as lock, bind(settings) as listener:
        await prepare(settings, data, upgrades=not settings.store.is_shared)
        # The lock goes with the last process that has it: nobody else begins before that.
        descriptors, clock = [lock.fileno(), listener.fileno()], SystemClock()
        api = Order(name="api", role="api", settings=settings, listener=listener.fileno())
        # The api answers monitors for all of them.
        of_workers = msgspec.structs.replace(settings, metrics_port=None)
        workers = [
            Order(name=f"worker-{number}", role="worker", settings=of_workers, replicas=replicas)
            for number, replicas in enumerate(divide(settings.models, settings.workers), start=1)
        ]
        supervisor = Supervisor(
            settings,
            Keeper(api, descriptors, clock),
            [Keeper(order, descriptors[:1], clock) for order in workers],
        )
        freeze()
        await supervisor.run(signals, url_of(listener))
    log.info("server_stopped")


class Supervisor:
    """The processes of one server, from their start to their end."""

    def __init__(self, settings: Settings, api: Keeper, workers: Sequence[Keeper]) -> None:
        self._data_dir = settings.data_dir
        self._drain_seconds = settings.drain_seconds
        self._api = api
        self._workers = workers

    async def run(self, signals: StopSignals, url: str) -> None:
        """Keep the processes alive until a signal ends them."""
        async with asyncio.TaskGroup() as group:
            serving = group.create_task(self._api.run())
            working = [group.create_task(worker.run()) for worker in self._workers]
            announcing = group.create_task(self._announce(url))
            await signals.wait()
            announcing.cancel()
            log.info("server_draining")
            self._api.drain()
            await self._end_workers(signals, working)
            await _end(self._api, serving, SHUTDOWN_SECONDS + MARGIN_SECONDS)

    async def _announce(self, url: str) -> None:
        await self._api.wait_until_ready()
        log.info("server_ready", url=url, data_dir=str(self._data_dir))

    async def _end_workers(
        self, signals: StopSignals, working: Sequence["asyncio.Task[None]"]
    ) -> None:
        seconds_max = self._drain_seconds + MARGIN_SECONDS
        async with asyncio.TaskGroup() as group:
            impatient = group.create_task(self._hurry_workers(signals))
            async with asyncio.TaskGroup() as ending:
                for worker, task in zip(self._workers, working, strict=True):
                    ending.create_task(_end(worker, task, seconds_max))
            impatient.cancel()

    async def _hurry_workers(self, signals: StopSignals) -> None:
        """At a second signal, have the workers wait no longer for what runs."""
        await signals.wait()
        for worker in self._workers:
            worker.ask_to_end()


async def _end(keeper: Keeper, task: "asyncio.Task[None]", seconds_max: float) -> None:
    """Have the process end in good order, or else at once."""
    keeper.ask_to_end()
    await asyncio.wait({task}, timeout=seconds_max)
    if not task.done():
        log.warning("process_killed", name=keeper.name, seconds=seconds_max)
        keeper.kill()
        await asyncio.wait({task})
