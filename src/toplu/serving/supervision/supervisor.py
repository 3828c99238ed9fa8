"""`toplu serve`: owns the data folder and the port, and keeps the processes of a server alive.

    supervisor ──▶ api         has the port; killed, it is back while calls wait at the port
          ├──────▶ worker …    each with the replicas of models that are its own
          └──────▶ replica …   a worker with one replica, as long as that is wanted

SIGTERM or SIGINT drains: workers start no request, those that run finish or go back after
`drain_seconds`, polls are answered until the end. A second signal ends the wait.
"""

import asyncio
from collections.abc import Sequence

import structlog

from toplu.batch.loop import Wakeup, repeat
from toplu.clock import SystemClock
from toplu.models.file_checks import check_files
from toplu.serving.garbage import freeze
from toplu.serving.sockets.listener import bind, url_of
from toplu.serving.stop_signals import StopSignals
from toplu.serving.supervision.keeper import Keeper
from toplu.serving.supervision.keepers import Keepers
from toplu.serving.supervision.local_placement import LocalPlacement
from toplu.settings.cluster import check_workers
from toplu.settings.replicas import placed
from toplu.settings.server import Settings
from toplu.wiring.http_server import SHUTDOWN_SECONDS
from toplu.wiring.preparation import prepare
from toplu.wiring.storage import open_folder

log = structlog.get_logger()

MARGIN_SECONDS = 5.0  # for a process to put itself away


async def supervise(settings: Settings) -> None:
    """Run a server until a signal ends it; returns when every process has ended."""
    signals = StopSignals()
    check_workers(settings.cluster, settings.workers)
    await check_files(settings.models, settings.model_dir)
    data = open_folder(settings)
    with data.owned() as lock, bind(settings) as listener:
        await prepare(settings, data, upgrades=not settings.store.is_shared)
        keepers = Keepers(settings, SystemClock(), lock=lock.fileno(), listener=listener.fileno())
        supervisor = Supervisor(settings, keepers)
        freeze()
        await supervisor.run(signals, url_of(listener))
    log.info("server_stopped")


class Supervisor:
    """The processes of one server, from their start to their end."""

    def __init__(self, settings: Settings, keepers: Keepers) -> None:
        self._settings = settings
        self._keepers = keepers
        self._api = keepers.api()
        self._workers = keepers.workers()
        self._end_seconds_max = settings.drain_seconds + MARGIN_SECONDS

    async def run(self, signals: StopSignals, url: str) -> None:
        """Keep the processes alive until a signal ends them."""
        async with asyncio.TaskGroup() as group:
            for keeper in (self._api, *self._workers):
                group.create_task(keeper.run())
            replicas = LocalPlacement(
                self._keepers.replica, group, end_seconds_max=self._end_seconds_max
            )
            beside = [
                group.create_task(self._announce(url)),
                group.create_task(self._place(replicas)),
            ]
            await signals.wait()
            for task in beside:
                task.cancel()
            log.info("server_draining")
            self._api.drain()
            await self._end_workers(signals, [*self._workers, *replicas.keepers])
            await self._api.end(SHUTDOWN_SECONDS + MARGIN_SECONDS)

    async def _announce(self, url: str) -> None:
        await self._api.wait_until_ready()
        log.info("server_ready", url=url, data_dir=str(self._settings.data_dir))

    async def _place(self, placement: LocalPlacement) -> None:
        """Have replicas come and go as they are wanted."""
        models, clock = placed(self._settings), SystemClock()
        if not models:
            return
        from toplu.placement.placer import Placer
        from toplu.placement.policy import Policy
        from toplu.serving.demands import open_demands

        async with open_demands(self._settings, clock) as demands:
            placer = Placer(
                clock=clock, demands=demands, policy=Policy(models), placement=placement
            )
            await repeat(placer.step, Wakeup(), "placer")

    async def _end_workers(self, signals: StopSignals, workers: Sequence[Keeper]) -> None:
        async with asyncio.TaskGroup() as group:
            impatient = group.create_task(_hurry(workers, signals))
            async with asyncio.TaskGroup() as ending:
                for worker in workers:
                    ending.create_task(worker.end(self._end_seconds_max))
            impatient.cancel()


async def _hurry(workers: Sequence[Keeper], signals: StopSignals) -> None:
    """At a second signal, have the workers wait no longer for what runs."""
    await signals.wait()
    for worker in workers:
        worker.ask_to_end()
