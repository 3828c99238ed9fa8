"""`validateOnly`: what a batch would be, and no batch."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from google import genai
from msgspec.structs import replace

from support.api.batch_calls import asking, create_inline, finish, upload_lines, wait_until_final
from support.api.local_server import ECHO, EMBEDDER, LocalServer, OpenServer, http_of
from toplu.job import ProjectId
from toplu.settings.model import PriceSettings

FLASH = "/v1beta/models/gemini-2.5-flash:batchGenerateContent"
EMBED = "/v1beta/models/gemini-embedding-001:asyncBatchEmbedContent"
PRICES = PriceSettings(input="2", cached_input="0.5", output="8")


@pytest.fixture
def server(open_test_server: OpenServer) -> LocalServer:
    return open_test_server(models=(replace(ECHO, price=PRICES), EMBEDDER))


def validated(http: httpx.Client, source: Any, path: str = FLASH) -> httpx.Response:
    body = {"batch": {"displayName": "d", "inputConfig": source}}
    return http.post(path, params={"validateOnly": "true"}, json=body)


def inline(*requests: dict[str, Any]) -> dict[str, Any]:
    return {"requests": {"requests": [{"request": request} for request in requests]}}


def test_a_batch_is_described_and_not_made(http: httpx.Client, tmp_path: Path) -> None:
    lines = [json.dumps({"key": f"k{i}", "request": asking(f"word {i}")}) for i in range(20)]
    lines += ['{"key": "bad", "request": {"contents": []}}', "no JSON"]
    name = upload_lines(http, [line.encode() for line in lines])
    reply = validated(http, {"fileName": name})
    assert reply.status_code == 200, reply.text
    told = reply.json()
    assert (told["model"], told["answeredBy"]) == ("models/gemini-2.5-flash", "echo")
    assert (told["requestCount"], told["faultyRequestCount"]) == ("22", "2")
    assert [line["lineNumber"] for line in told["faultyLines"]] == [21, 22]
    assert told["faultyLines"][0]["key"] == "bad"
    assert told["faultyLines"][0]["error"]["status"] == "INVALID_ARGUMENT"
    assert told["promptTokens"]["exact"] is True
    assert told["promptTokens"]["countedRequestCount"] == "20"
    assert http.get("/v1beta/batches").json() == {}
    assert not [path for path in tmp_path.rglob("input.jsonl") if path.is_file()]


def test_its_figures_are_those_of_the_batch_when_it_is_run(
    http: httpx.Client, client: genai.Client
) -> None:
    requests = [asking(f"Tell me of {number}, please") for number in range(30)]
    for request in requests:
        request["generationConfig"] = {"temperature": 0}
    requests += requests[:5]
    told = validated(http, inline(*requests)).json()
    assert told["duplicateRequestCount"] == "5"
    done = finish(http, create_inline(http, [{"request": it} for it in requests])["name"])
    extension = done["metadata"]["toplu"]
    assert told["promptTokens"]["tokenCount"] == extension["usage"]["promptTokenCount"]
    lowest, highest = (int(told["outputTokens"][name]) for name in ("lowest", "highest"))
    assert lowest <= int(extension["usage"]["outputTokenCount"]) <= highest
    again = validated(http, inline(*requests)).json()
    assert "No answer" in " ".join(told["warnings"])
    assert "No answer" not in " ".join(again.get("warnings", []))
    lowest, highest = (int(again["outputTokens"][name]) for name in ("lowest", "highest"))
    assert lowest <= int(extension["usage"]["outputTokenCount"]) <= highest
    assert float(again["expectedCost"]["lowest"]["amount"]) <= float(extension["cost"]["amount"])
    assert float(again["expectedCost"]["highest"]["amount"]) >= float(extension["cost"]["amount"])
    wait_until_final(client, done["name"])


def test_what_a_request_names_is_looked_for(http: httpx.Client) -> None:
    missing = asking("and this")
    missing["contents"][0]["parts"].append(
        {"fileData": {"fileUri": "files/never-was", "mimeType": "text/plain"}}
    )
    uncached = asking("after it") | {"cachedContent": "cachedContents/never-was"}
    told = validated(http, inline(asking("plain"), missing, uncached)).json()
    assert told["faultyRequestCount"] == "2"
    assert [line["lineNumber"] for line in told["faultyLines"]] == [2, 3]


def test_a_prompt_that_does_not_fit_is_found(http: httpx.Client) -> None:
    told = validated(http, inline(asking("one two"), asking("word " * 5000))).json()
    assert told["faultyRequestCount"] == "1"
    (line,) = told["faultyLines"]
    assert line["lineNumber"] == 2
    assert "exceeds the maximum number of tokens allowed (4095)" in line["error"]["message"]
    assert int(told["promptTokens"]["tokenCount"]) < 100


def test_texts_to_embed_are_validated_too(http: httpx.Client) -> None:
    request = {"content": {"parts": [{"text": "some words to embed"}]}}
    told = validated(http, inline(request, request, {"content": {}}), EMBED).json()
    assert (told["requestCount"], told["duplicateRequestCount"]) == ("3", "1")
    assert told["faultyRequestCount"] == "1"
    assert told["outputTokens"] == {"lowest": "0", "highest": "0"}
    assert int(told["promptTokens"]["tokenCount"]) > 0


@pytest.mark.parametrize(
    ("source", "status"),
    [
        ({"fileName": "files/never-was"}, 403),
        ({}, 400),
        ({"requests": {"requests": []}}, 400),
    ],
)
def test_what_create_refuses_it_refuses_in_the_same_words(
    http: httpx.Client, source: dict[str, Any], status: int
) -> None:
    body = {"batch": {"displayName": "d", "inputConfig": source}}
    refused = http.post(FLASH, json=body)
    assert refused.status_code == status
    told = validated(http, source)
    assert (told.status_code, told.json()) == (status, refused.json())


def test_a_model_that_nobody_has_is_not_found(http: httpx.Client) -> None:
    path = "/v1beta/models/unheard-of:batchGenerateContent"
    assert validated(http, inline(asking("x")), path).status_code == 404


@pytest.mark.parametrize("value", ["maybe", "", "TRUE"])
def test_the_parameter_is_a_boolean(http: httpx.Client, value: str) -> None:
    reply = http.post(FLASH, params={"validateOnly": value}, json={"batch": {}})
    assert reply.status_code == 400
    assert "validateOnly" in reply.json()["error"]["message"]


def test_false_makes_a_batch(http: httpx.Client) -> None:
    body = {"batch": {"inputConfig": inline(asking("x"))}}
    reply = http.post(FLASH, params={"validateOnly": "false"}, json=body)
    assert reply.json()["name"].startswith("batches/")


@pytest.fixture
def another(server: LocalServer) -> Iterator[httpx.Client]:
    keys = [server.call(server.server.keys.create(ProjectId(name), "")) for name in ("a", "b")]
    with http_of(server, keys[0]) as owner, http_of(server, keys[1]) as other:
        owner.headers["X-File"] = upload_lines(owner, [json.dumps(asking("x")).encode()])
        other.headers["X-File"] = owner.headers["X-File"]
        yield other


def test_another_projects_file_is_not_read(another: httpx.Client) -> None:
    foreign = validated(another, {"fileName": another.headers["X-File"]})
    assert foreign.status_code == 403
