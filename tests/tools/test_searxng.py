"""A SearXNG that is wrongly set up, away or not one at all: each has an error of its own."""

from collections.abc import Awaitable, Callable
from contextlib import aclosing
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from support.tools.pages_under_test import running_site
from support.tools.running_searxng import running_searxng
from toplu.errors import Unavailable
from toplu.tools.search import Page
from toplu.tools.searxng import BODY_BYTES_MAX, SearxngSearch

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def failure_of(url: str) -> str:
    async with aclosing(SearxngSearch(url)) as provider:
        with pytest.raises(Unavailable) as failure:
            await provider.search("euro", 5)
    return failure.value.message


async def failure_with(answer: Answer) -> str:
    app = web.Application()
    app.router.add_post("/search", answer)
    async with TestServer(app) as server:
        return await failure_of(str(server.make_url("/")))


@pytest.mark.searxng
async def test_a_server_that_gives_no_json_is_named_with_its_remedy(tmp_path: Path) -> None:
    with running_site() as port, running_searxng(tmp_path, port, formats="[html]") as url:
        assert "search.formats" in await failure_of(url)


@pytest.mark.searxng
async def test_a_server_whose_engines_are_away_is_no_empty_result(tmp_path: Path) -> None:
    with running_site() as port:
        pass
    with running_searxng(tmp_path, port) as url:
        assert "engines do not answer (site: " in await failure_of(url)


async def test_a_server_that_is_away_is_unavailable() -> None:
    assert await failure_of("http://127.0.0.1:1") == "The search server cannot be reached."


async def test_an_endless_answer_is_not_read_to_its_end() -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        with_room = b" " * 65536
        for _ in range(4 * BODY_BYTES_MAX // len(with_room)):
            await response.write(with_room)
        return response

    assert f"more than {BODY_BYTES_MAX} bytes" in await failure_with(answer)


async def test_what_is_no_web_page_is_left_out() -> None:
    found = [
        {"url": "javascript:alert(1)", "title": "a", "content": "a"},
        {"url": "https://a.example/", "title": None, "content": " b "},
        {"url": "https://a.example/", "title": "again", "content": "c"},
        {"url": "https://b.example/", "title": "empty", "content": None},
        {"url": "https://c.example/" + "c" * 9999, "title": "long", "content": "d"},
    ]

    async def answer(_request: web.Request) -> web.Response:
        return web.json_response({"results": found, "unresponsive_engines": [["x", "timeout"]]})

    app = web.Application()
    app.router.add_post("/search", answer)
    async with (
        TestServer(app) as server,
        aclosing(SearxngSearch(str(server.make_url("")))) as provider,
    ):
        uri = "https://a.example/"
        assert await provider.search("q", 9) == [Page(title=uri, uri=uri, text="b")]


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        ({"text": "<html>"}, "does not speak SearXNG's JSON"),
        ({"text": "[" * 100_000}, "does not speak SearXNG's JSON"),
        ({"text": '{"results": [{"url": 1}]}'}, "does not speak SearXNG's JSON"),
        ({"status": 500}, "status 500"),
        ({"status": 302, "headers": {"Location": "http://127.0.0.1:1/"}}, "status 302"),
    ],
)
async def test_what_is_no_answer_is_unavailable(response: dict, reason: str) -> None:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(**response)

    assert reason in await failure_with(answer)
