"""Builds a whole server in one process: a side that answers calls and a side that works."""

import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta

from toplu.api.http.doors import OwnDoor
from toplu.clock import Clock, SystemClock
from toplu.settings.server import SearchSettings, Settings
from toplu.store.data_folder import DataFolder
from toplu.store.search_index import SearchIndex
from toplu.tools.grounding import Grounder
from toplu.tools.local_index import LocalIndex
from toplu.tools.search import RememberingSearch, SearchProvider
from toplu.tools.searxng import SearxngSearch
from toplu.wiring.api import Api
from toplu.wiring.shared_parts import SharedParts
from toplu.wiring.storage import Storage, open_folder, open_storage
from toplu.wiring.worker import Worker


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
        worker = Worker(parts, grounder)
        self.worker_id = worker.id
        self.pipeline = worker.pipeline
        self.fleet = worker.fleet
        api = Api(
            parts,
            doors=OwnDoor(worker.door),
            is_draining=lambda: self.pipeline.is_draining,
            any_key_until_first=any_key_until_first,
        )
        self.app = api.app
        self.routes = api.routes
        self.keys = api.keys
        self.ledger = api.ledger
        self.wait_reasons = api.wait_reasons
        self.quotas = parts.quotas


@contextlib.asynccontextmanager
async def open_server(
    settings: Settings, *, any_key_until_first: bool, clock: Clock | None = None
) -> AsyncIterator[Server]:
    """Yield a server that owns its data folder and has recovered what is in it."""
    data = open_folder(settings)
    clock = clock or SystemClock()
    with data.owned():
        async with (
            open_storage(data) as storage,
            _open_search(settings.search, data, clock) as provider,
        ):
            server = Server(
                settings=settings,
                clock=clock,
                storage=storage,
                grounder=Grounder(provider=provider, settings=settings.search),
                any_key_until_first=any_key_until_first,
            )
            with data.lives.hold(server.worker_id):
                await server.pipeline.recover()
                try:
                    yield server
                finally:
                    await server.pipeline.end()


@contextlib.asynccontextmanager
async def _open_search(
    settings: SearchSettings, data: DataFolder, clock: Clock
) -> AsyncIterator[SearchProvider]:
    provider: SearchProvider
    if settings.provider == "local":
        provider = LocalIndex(SearchIndex(data.search))
    else:
        assert settings.url is not None, "the settings have been checked"
        provider = RememberingSearch(
            SearxngSearch(settings.url),
            clock=clock,
            life=timedelta(seconds=settings.cache_seconds),
            entries_max=settings.cache_entries_max,
        )
    async with contextlib.aclosing(provider):
        yield provider
