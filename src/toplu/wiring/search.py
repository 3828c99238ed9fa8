"""Opens the source of what `google_search` finds."""

import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta

from toplu.clock import Clock
from toplu.settings.server import SearchSettings, Settings
from toplu.store.data_folder import DataFolder
from toplu.store.search_index import SearchIndex
from toplu.tools.grounding import Grounder
from toplu.tools.local_index import LocalIndex
from toplu.tools.search import RememberingSearch, SearchProvider
from toplu.tools.searxng import SearxngSearch


@contextlib.asynccontextmanager
async def open_grounder(
    settings: Settings, data: DataFolder, clock: Clock
) -> AsyncIterator[Grounder]:
    """Yield what grounds answers in what the set search finds."""
    async with contextlib.aclosing(_provider_of(settings.search, data, clock)) as provider:
        yield Grounder(provider=provider, settings=settings.search)


def _provider_of(settings: SearchSettings, data: DataFolder, clock: Clock) -> SearchProvider:
    if settings.provider == "local":
        return LocalIndex(SearchIndex(data.search))
    assert settings.url is not None, "the settings have been checked"
    return RememberingSearch(
        SearxngSearch(settings.url),
        clock=clock,
        life=timedelta(seconds=settings.cache_seconds),
        entries_max=settings.cache_entries_max,
    )
