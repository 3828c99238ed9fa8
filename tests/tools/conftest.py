"""Every kind of search provider: the same tests are run against each."""

from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from pathlib import Path

import pytest
import pytest_asyncio

from support.tools.pages_under_test import running_site, write_pages
from support.tools.running_searxng import running_searxng
from toplu.store.search_index import Collection, SearchIndex
from toplu.tools.documents import read_documents
from toplu.tools.local_index import LocalIndex
from toplu.tools.search import SearchProvider
from toplu.tools.searxng import SearxngSearch

SITE = "https://site.example"


@pytest.fixture(scope="session")
def searxng_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with (
        running_site() as site_port,
        running_searxng(tmp_path_factory.mktemp("searxng"), site_port) as url,
    ):
        yield url


@pytest.fixture
def passages(tmp_path: Path) -> SearchIndex:
    """An index of the pages."""
    write_pages(tmp_path / "pages")
    passages = SearchIndex(tmp_path / "search.db")
    wanted = Collection(name="pages", path="/pages", documents=0, added="2026-11-22T12:00:00Z")
    passages.put(wanted, read_documents(tmp_path / "pages", SITE))
    return passages


@pytest_asyncio.fixture(params=["local", pytest.param("searxng", marks=pytest.mark.searxng)])
async def provider(request: pytest.FixtureRequest) -> AsyncIterator[SearchProvider]:
    made: SearchProvider
    if request.param == "local":
        made = LocalIndex(request.getfixturevalue("passages"))
    else:
        made = SearxngSearch(request.getfixturevalue("searxng_url"))
    async with aclosing(made):
        yield made
