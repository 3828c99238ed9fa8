"""Opens what says how many replicas are asked for, in a process that places them."""

import contextlib
from collections.abc import AsyncIterator

from toplu.batch.signals import Signals
from toplu.clock import Clock
from toplu.placement.calls import RecentCalls
from toplu.placement.demand import Demands
from toplu.serving.hearing import bell_of, hearing
from toplu.settings.server import Settings
from toplu.store.data_folder import DataFolder
from toplu.wiring.shared_parts import roster_of
from toplu.wiring.storage import open_storage

NAME = "placer"


@contextlib.asynccontextmanager
async def open_demands(settings: Settings, clock: Clock) -> AsyncIterator[Demands]:
    """Yield the demands of all models, over a data folder that is prepared."""
    data, signals = DataFolder(settings.data_dir), Signals()
    async with open_storage(data, settings.bucket, settings.store, upgrades=False) as storage:
        roster, calls = roster_of(clock, storage), RecentCalls(settings.models)
        signals.when_reported(roster.forget)
        signals.when_called(calls.note)
        async with hearing(bell_of(settings, storage, NAME), signals):
            yield Demands(settings=settings, rows=storage.backlog, roster=roster, calls=calls)
