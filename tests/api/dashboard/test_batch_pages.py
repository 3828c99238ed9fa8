"""Batches on the page: how they stand, their results, and what can be done with them."""

import json
import re
from collections.abc import Iterator

import httpx2 as httpx
import pytest
from msgspec.structs import replace

from support.api.batch_calls import (
    asking,
    create_from_file,
    create_inline,
    finish,
    operation,
    upload_lines,
)
from support.api.local_server import ECHO, SLOW, LocalServer, OpenServer, http_of
from support.api.openai_batches import chat_line, create
from support.api.openai_batches import finish as finish_openai
from support.api.openai_calls import openai_client
from support.api.pages import PageClient, page_of, words_of
from support.waiting import eventually
from toplu.settings.model import EchoSettings, PriceSettings

SCRIPT = "<script>window.pwned = 1</script>"
RIGHT_TO_LEFT = "\u202eevil\u202c"


@pytest.fixture(scope="module")
def server(shared_server: LocalServer) -> LocalServer:
    return shared_server


@pytest.fixture
def page(server: LocalServer) -> Iterator[PageClient]:
    with page_of(server) as client:
        yield client


def made(http: httpx.Client, texts: list[str]) -> str:
    requests = [
        {"request": asking(text), "metadata": {"key": f"k{n}"}} for n, text in enumerate(texts)
    ]
    return str(create_inline(http, requests)["name"])


def done(http: httpx.Client, texts: list[str]) -> str:
    name = made(http, texts)
    finish(http, name)
    return name


def test_a_batch_is_shown_with_what_came_of_it(http: httpx.Client, page: PageClient) -> None:
    name = done(http, ["one", "please fail", "three"])
    shown = page.text(f"/ui/{name}")
    assert "3 of 3" in shown
    assert "1 failed" in shown
    assert "Results 1 to 3" in shown
    assert "INTERNAL" in shown
    assert "Retry failed" in shown
    assert name.removeprefix("batches/")[:12] in page.text("/ui/batches")
    assert name.removeprefix("batches/")[:12] in page.text("/")


def test_results_come_by_screenfuls_and_are_searched(http: httpx.Client, page: PageClient) -> None:
    texts = [
        f"number {n} {'please fail' if n % 20 == 7 else 'Needle' if n == 58 else ''}"
        for n in range(60)
    ]
    path = f"/ui/{done(http, texts)}"
    numbers: list[int] = []
    at = ""
    while True:
        shown = page.get(path, **({"at": at} if at else {})).text
        numbers += [int(found) for found in re.findall(r'id="line-(\d+)"', shown)]
        more = re.search(r'at=([0-9.]+)#results">More', shown)
        if more is None:
            break
        at = more[1]
    assert numbers == list(range(1, 61))
    failed = page.get(path, show="failed").text
    assert re.findall(r'id="line-(\d+)"', failed) == ["8", "28", "48"]
    found = page.get(path, search="nEEdle").text
    assert re.findall(r'id="line-(\d+)"', found) == ["59"]
    assert "1 found" in words_of(found)
    assert page.get(path, at="nowhere").status_code == 400


def test_what_clients_wrote_stays_text(http: httpx.Client, page: PageClient) -> None:
    text = f"{SCRIPT} {RIGHT_TO_LEFT} & \"quoted\" 'too'"
    name = done(http, [text])
    shown = page.get(f"/ui/{name}").text
    assert SCRIPT not in shown
    assert "&lt;script&gt;" in shown
    assert 'dir="auto"' in shown
    answer = page.send("/ui/models", model="echo", prompt=text).text
    assert SCRIPT not in answer
    assert SCRIPT not in page.get(f"/ui/{name}", search=SCRIPT).text
    assert SCRIPT not in page.get(f"/ui/{name}/requests/1").text


def test_a_line_of_megabytes_costs_a_page_no_more_than_a_row(
    http: httpx.Client, page: PageClient
) -> None:
    name = done(http, ["x" * 15_000] * 3)
    assert len(page.get(f"/ui/{name}").content) < 40_000
    assert len(page.get(f"/ui/{name}/requests/2").content) < 20_000


def test_a_request_is_shown_beside_its_result(http: httpx.Client, page: PageClient) -> None:
    path = f"/ui/{done(http, ['first', 'second', 'please fail'])}"
    assert '"second"' in page.text(f"{path}/requests/2")
    assert "not kept" in page.text(f"{path}/requests/4")


def test_a_request_is_shown_as_long_as_its_file_is_there(
    http: httpx.Client, page: PageClient
) -> None:
    line = json.dumps({"key": "a", "request": asking("only")}).encode()
    file = upload_lines(http, [line])
    name = create_from_file(http, file).json()["name"]
    finish(http, name)
    assert '"only"' in page.text(f"/ui/{name}/requests/1")
    http.delete(f"/v1beta/{file}")
    assert "not kept" in page.text(f"/ui/{name}/requests/1")


def test_the_downloads_are_what_the_api_gives(http: httpx.Client, page: PageClient) -> None:
    name = done(http, ["one", "two"])
    results = page.get(f"/ui/{name}/results")
    assert results.content == http.get(f"/v1beta/{name}:results").content
    assert "attachment" in results.headers["content-disposition"]
    receipt = page.get(f"/ui/{name}/receipt").json()
    assert receipt["balances"] is True


def test_what_failed_runs_again_and_a_batch_is_deleted(
    http: httpx.Client, page: PageClient
) -> None:
    name = done(http, ["one", "please fail"])
    answer = page.send(f"/ui/{name}/retry")
    retry = answer.headers["location"]
    assert answer.status_code == 303
    assert "Retry of" in page.text(retry)
    assert operation(http, retry.removeprefix("/ui/"))["metadata"]["toplu"]["retryOf"] == name
    assert page.send(f"/ui/{name}/retry").status_code in (303, 400, 409)
    assert page.send(f"/ui/{name}/delete").headers["location"] == "/ui/batches"
    assert page.get(f"/ui/{name}").status_code == 404
    assert http.get(f"/v1beta/{name}").status_code == 404


def test_a_batch_is_completed_by_one_that_has_every_result(
    http: httpx.Client, page: PageClient
) -> None:
    name = done(http, ["one", "please fail"])
    made = page.send(f"/ui/{name}/complete").headers["location"].removeprefix("/ui/")
    found = finish(http, made)["metadata"]
    assert found["batchStats"]["requestCount"] == "2"
    assert found["toplu"]["carriedRequestCount"] == "1"
    assert "Carried over" in page.text(f"/ui/{made}")


def test_a_batch_that_runs_shows_what_is_done_and_is_cancelled(
    open_test_server: OpenServer,
) -> None:
    slow = replace(ECHO, lanes=1, echo=EchoSettings(word_seconds=0.05))
    server = open_test_server(models=(slow,))
    with http_of(server) as http, page_of(server) as page:
        path = f"/ui/{made(http, ['one', 'word ' * 2000, 'three'])}"
        eventually(lambda: "in the order in which they came" in page.text(path))
        eventually(lambda: "runs on 1 of 1 lanes" in page.text(path))
        assert "Cancel" in page.text(path)
        assert page.send(f"{path}/cancel").headers["location"] == path
        assert "cancelled" in page.text(path)
        assert "Retry failed" in page.text(path)


def test_a_batch_that_waits_says_why(open_test_server: OpenServer) -> None:
    server = open_test_server(models=(SLOW,))
    with http_of(server) as http, page_of(server) as page:
        made(http, ["one"])
        second = made(http, ["two"])
        eventually(lambda: "Every lane of the engine" in page.text(f"/ui/{second}"))
        assert "Every lane of the engine" in page.text("/ui/batches")


def test_batches_of_the_other_api_are_here_as_well(open_test_server: OpenServer) -> None:
    models = (ECHO, replace(ECHO, name="dear", aliases=("d",), price=PriceSettings(input="1")))
    server = open_test_server(models=models)
    with openai_client(server) as sdk, page_of(server) as page:
        lines = [chat_line("a", "x", model="echo"), chat_line("b", "please fail", model="d")]
        batch = finish_openai(sdk, create(sdk, lines))
        path = f"/ui/batches/{batch.id.removeprefix('batch_')}"
        shown = page.text(path)
        assert "echo, d" in shown
        assert "By model" in shown
        part = re.findall(r"part=([a-z0-9]+)#results", page.get(path).text)[1]
        assert "INTERNAL" in page.text(path, part=part)
        written = page.get(f"{path}/results").content.splitlines()
        assert [json.loads(line)["custom_id"] for line in written] == ["a", "b"]
        assert page.get(f"{path}/receipt").json()["balances"] is True
        retry = page.send(f"{path}/retry").headers["location"]
        assert "Retry of" in page.text(retry)


def test_older_batches_are_a_page_away(open_test_server: OpenServer) -> None:
    server = open_test_server(models=(SLOW,))
    with http_of(server) as http, page_of(server) as page:
        names = [made(http, [str(n)]) for n in range(55)]
        first = page.get("/ui/batches").text
        behind = re.search(r"behind=([a-z0-9]+)", first)
        assert behind is not None
        second = page.get("/ui/batches", behind=behind[1]).text
    seen = re.findall(r'id="open-([a-z0-9]+)"', first + second)
    assert seen == [name.removeprefix("batches/") for name in reversed(names)]
