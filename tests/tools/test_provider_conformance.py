"""The promises of every search provider."""

import asyncio

import pytest

from support.tools.pages_under_test import PAGES
from toplu.tools.search import SearchProvider


async def test_the_page_that_answers_the_question_is_found(provider: SearchProvider) -> None:
    best, *_ = await provider.search("Who won the euro 2025?", 5)
    assert best.title == "UEFA Women's Euro 2025"
    assert best.uri == "https://site.example/euro-2025.html"
    assert best.domain == "site.example"
    assert best.text == PAGES["euro-2025.html"][1]


async def test_no_more_pages_come_than_are_asked_for(provider: SearchProvider) -> None:
    found = await provider.search("cloud custard gadolinium euro", 10)
    assert len({page.uri for page in found}) == len(found) == len(PAGES)
    assert len(await provider.search("cloud custard gadolinium euro", 2)) == 2


async def test_text_that_is_not_ascii_is_found_whole(provider: SearchProvider) -> None:
    (page,) = await provider.search("crème brûlée", 5)
    assert page.title == "Crème brûlée & co"
    assert page.text == PAGES["crème.html"][1]


@pytest.mark.parametrize(
    "query",
    [
        "xylophone",
        '" OR NEAR( * title: {',
        "xylophone' OR 'q'='q",
        "!!g :all <9 !site -- xylophone",
        "x" * 256,
        "\N{CUCUMBER}",
    ],
)
async def test_what_nobody_has_written_of_finds_nothing(
    provider: SearchProvider, query: str
) -> None:
    assert await provider.search(query, 5) == []


async def test_searches_run_at_the_same_time(provider: SearchProvider) -> None:
    found = await asyncio.gather(*(provider.search("euro 2025", 1) for _ in range(8)))
    assert {pages[0].title for pages in found} == {"UEFA Women's Euro 2025"}
