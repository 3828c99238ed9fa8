"""Builds a whole server in one process: a side that answers calls and a side that works."""

import contextlib
from collections.abc import AsyncIterator

from toplu.api.doors.forwarded_call import OwnDoor
from toplu.batch.recovery import clear_unfinished
from toplu.clock import Clock, random_id
from toplu.settings.replicas import owned_alone
from toplu.settings.server import Settings
from toplu.tools.grounding import Grounder
from toplu.wiring.api import Api
from toplu.wiring.search import open_grounder
from toplu.wiring.shared_parts import SharedParts
from toplu.wiring.storage import Storage, open_folder, open_storage
from toplu.wiring.worker import ID_LENGTH, Worker


class Server:
    """The parts of a server that others call; `app` answers HTTP, `pipeline` works."""

    def __init__(
        self,
        *,
        settings: Settings,
        clock: Clock,
        storage: Storage,
        grounder: Grounder,
        any_key_until_first: bool,
    ) -> None:
        parts = SharedParts.build(settings=settings, clock=clock, storage=storage)
        models = owned_alone(settings.models)
        worker = Worker(parts, grounder, worker_id=random_id(ID_LENGTH), models=models)
        self.worker_id = worker.id
        self.pipeline = worker.pipeline
        self.fleet = worker.fleet
        api = Api(
            parts,
            doors=OwnDoor(worker.door),
            is_draining=lambda: self.pipeline.is_draining,
            any_key_until_first=any_key_until_first,
            own_figures=[worker.figures.read],
        )
        self.metrics = api.metrics
        self.app = api.app
        self.work_beside = api.work
        self.routes = api.routes
        self.keys = api.keys
        self.ledger = api.ledger
        self.wait_reasons = api.wait_reasons
        self.quotas = parts.quotas
        self.audit = parts.audit
        self._storage = storage

    async def recover(self) -> None:
        """Put right what the last owner of the data folder left; before anything is accepted."""
        storage = self._storage
        await clear_unfinished(storage.blobs, storage.jobs, storage.results)
        await storage.deletions.rewrite_if_due()
        await self.pipeline.recover()


@contextlib.asynccontextmanager
async def open_server(
    settings: Settings, *, any_key_until_first: bool, clock: Clock | None = None
) -> AsyncIterator[Server]:
    """Yield a server that owns its data folder and has recovered what is in it."""
    data = open_folder(settings)
    with data.owned():
        async with (
            open_storage(
                data, settings.bucket, settings.store, upgrades=not settings.store.is_shared
            ) as storage,
            open_grounder(settings, data, clock or storage.clock) as grounder,
        ):
            server = Server(
                settings=settings,
                clock=clock or storage.clock,
                storage=storage,
                grounder=grounder,
                any_key_until_first=any_key_until_first,
            )
            with data.lives.hold(server.worker_id):
                await server.recover()
                try:
                    yield server
                finally:
                    await server.pipeline.end()
