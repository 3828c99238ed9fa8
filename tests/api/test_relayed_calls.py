"""Files and caches of ours are put into a request before it goes to another server."""

from collections.abc import Iterator
from typing import Any

import httpx2 as httpx
import pytest

from support.api.local_server import LocalServer, echo_server, http_of
from support.api.stream_calls import events_of
from support.api.upload_calls import upload_raw
from toplu.clock import random_id
from toplu.job import ProjectId
from toplu.settings.remote import RemoteSettings, ServerSettings
from toplu.settings.server import ModelSettings, PriceSettings

FLASH = "gemini-2.5-flash"
MODEL = f"/v1beta/models/{FLASH}"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    """A server whose model is another one's echo."""
    folder = tmp_path_factory.mktemp("relayed")
    (folder / "key").write_text("any")
    with echo_server(folder / "upstream") as echo:
        relayed = ModelSettings(
            name="relayed",
            aliases=("gemini-*",),
            engine="gemini_server",
            servers=(
                ServerSettings(url=f"{echo.url}/v1beta", model=FLASH, key_file=str(folder / "key")),
            ),
            remote=RemoteSettings(files_bytes_max=1000),
            price=PriceSettings(input="1", output="10"),
        )
        with echo_server(folder / "front", models=(relayed,)) as running:
            yield running


def naming(uri: str, **fields: Any) -> dict[str, Any]:
    parts = [{"fileData": {"fileUri": uri} | fields}, {"text": "What does it say?"}]
    return {"contents": [{"role": "user", "parts": parts}]}


def text_of(response: dict[str, Any]) -> str:
    return str(response["candidates"][0]["content"]["parts"][0]["text"])


@pytest.fixture
def http(server: LocalServer) -> Iterator[httpx.Client]:
    """A client of a project of its own."""
    name = ProjectId(random_id(8))
    with http_of(server, server.call(server.server.keys.create(name, "test"))) as client:
        yield client


def upload(http: Any, content: bytes) -> str:
    return str(upload_raw(http, content, mime_type="text/plain")["name"])


def test_a_file_of_the_project_is_put_in_where_it_is_named(http: httpx.Client) -> None:
    name = upload(http, b"swordfish")
    reply = http.post(f"{MODEL}:generateContent", json=naming(name, displayName="rules.txt"))
    assert reply.status_code == 200, reply.text
    shown = '<document name="rules.txt" type="text/plain">\nswordfish\n</document>'
    assert shown in text_of(reply.json())
    assert reply.json()["modelVersion"] == "echo"


def test_files_are_those_of_the_project_that_asks(server: LocalServer, http: httpx.Client) -> None:
    name = upload(http, b"swordfish")
    other_key = server.call(server.server.keys.create(ProjectId("other"), "test"))
    with http_of(server, other_key) as other:
        for client, status in ((http, 200), (other, 403)):
            reply = client.post(f"{MODEL}:generateContent", json=naming(name))
            assert reply.status_code == status
            assert ("swordfish" in reply.text) == (status == 200)


def test_files_have_a_bound_together(http: httpx.Client) -> None:
    name = upload(http, b"x" * 600)
    twice = naming(name)
    twice["contents"][0]["parts"] *= 2
    assert http.post(f"{MODEL}:generateContent", json=naming(name)).status_code == 200
    reply = http.post(f"{MODEL}:generateContent", json=twice)
    assert reply.status_code == 400
    told = "contents[0].parts[2].file_data: the files of the request have more than 1000 bytes"
    assert told in reply.json()["error"]["message"]


def test_an_address_that_is_no_file_of_ours_is_the_servers_to_judge(http: httpx.Client) -> None:
    reply = http.post(f"{MODEL}:generateContent", json=naming("https://example.com/a.pdf"))
    assert reply.status_code == 400
    assert "nothing else is fetched" in reply.json()["error"]["message"]


def test_what_the_server_says_of_its_tokens_is_charged(server: LocalServer) -> None:
    project = ProjectId("charged")
    key = server.call(server.server.keys.create(project, "test"))
    request = {"contents": [{"parts": [{"text": "one two three"}]}]}
    with http_of(server, key) as http:
        usage = http.post(f"{MODEL}:generateContent", json=request).json()["usageMetadata"]
        streamed = http.post(f"{MODEL}:streamGenerateContent?alt=sse", json=request).text
    told = events_of(streamed)[-1]["usageMetadata"]
    assert told["totalTokenCount"] == usage["totalTokenCount"]
    (total,) = [
        each for each in server.call(server.server.ledger.totals()) if each.project == project
    ]
    assert total.usage.prompt_tokens == 2 * usage["promptTokenCount"]
    assert total.usage.output_tokens == 2 * usage["candidatesTokenCount"]


def test_a_field_that_nobody_knows_is_refused_before_it_is_sent(http: httpx.Client) -> None:
    reply = http.post(f"{MODEL}:generateContent", json={"contents": [], "future": 1})
    assert reply.status_code == 400
    assert 'Unknown name "future"' in reply.json()["error"]["message"]
