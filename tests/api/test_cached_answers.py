"""Requests that stand behind what is cached, the same by every call."""

import json
from typing import Any

import httpx2 as httpx
import pytest

from support.api.batch_calls import (
    asking,
    create_from_file,
    create_inline,
    finish,
    result_lines,
    text_of,
    upload_lines,
)
from support.api.cache_calls import MISSING, WORDS, asking_with, create_cache
from support.api.local_server import ECHO, LocalServer, OpenServer, http_of
from support.api.stream_calls import events_of
from toplu.money import Kind, Usage
from toplu.settings.server import ModelSettings, PriceSettings

FLASH = "/v1beta/models/gemini-2.5-flash"
ONLY_IN_THE_CACHE = (
    "CachedContent can not be used with GenerateContent request setting system_instruction, tools "
    "or tool_config.\n\nProposed fix: move those values to CachedContent from GenerateContent "
    "request."
)
PRICED = ModelSettings(
    name="echo",
    aliases=ECHO.aliases,
    engine="echo",
    echo=ECHO.echo,
    price=PriceSettings(input="0.3", output="2.5", cached_input="0.03"),
)


@pytest.fixture(scope="module")
def server(shared_server: LocalServer) -> LocalServer:
    return shared_server


def plain(http: httpx.Client, request: dict[str, Any]) -> dict[str, Any]:
    reply = http.post(f"{FLASH}:generateContent", json=request)
    return reply.json() if reply.status_code == 200 else {"error": reply.json()["error"]}


def streamed(http: httpx.Client, request: dict[str, Any]) -> dict[str, Any]:
    reply = http.post(f"{FLASH}:streamGenerateContent?alt=sse", json=request)
    if reply.status_code != 200:
        return {"error": reply.json()["error"]}
    chunks = events_of(reply.text)
    text = "".join(map(text_of, chunks))
    last = chunks[-1]
    last["candidates"][0]["content"]["parts"] = [{"text": text}]
    return last


def inline(http: httpx.Client, request: dict[str, Any]) -> dict[str, Any]:
    done = finish(http, create_inline(http, [{"request": request}])["name"])
    (line,) = done["response"]["inlinedResponses"]["inlinedResponses"]
    return line.get("response", line)


def in_a_file(http: httpx.Client, request: dict[str, Any]) -> dict[str, Any]:
    lines = [json.dumps({"key": "k", "request": request}).encode()]
    created = create_from_file(http, upload_lines(http, lines)).json()
    (line,) = result_lines(http, finish(http, created["name"]))
    return line.get("response", line)


EVERY_DOOR = pytest.mark.parametrize("ask", [plain, streamed, inline, in_a_file])


@EVERY_DOOR
def test_what_is_cached_stands_before_the_request(http: httpx.Client, ask: Any) -> None:
    system = {"parts": [{"text": "Be brief."}]}
    name = create_cache(http, systemInstruction=system)["name"]
    for spelled in (name, name.removeprefix("cachedContents/")):
        answer = ask(http, asking_with(spelled, "And now?"))
        assert text_of(answer) == "And now?"
        assert answer["usageMetadata"] == {
            "promptTokenCount": WORDS + 4,
            "cachedContentTokenCount": WORDS + 2,
            "candidatesTokenCount": 2,
            "totalTokenCount": WORDS + 6,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": WORDS + 4}],
            "cacheTokensDetails": [{"modality": "TEXT", "tokenCount": WORDS + 2}],
            "candidatesTokensDetails": [{"modality": "TEXT", "tokenCount": 2}],
        }


@EVERY_DOOR
def test_what_is_missing_is_the_error_of_the_request(http: httpx.Client, ask: Any) -> None:
    deleted = create_cache(http)["name"]
    assert http.delete(f"/v1beta/{deleted}").status_code == 200
    for name in (deleted, "cachedContents/never", "never"):
        assert ask(http, asking_with(name))["error"]["message"] == MISSING["message"]


@EVERY_DOOR
@pytest.mark.parametrize(
    "fields",
    [
        {"systemInstruction": {"parts": [{"text": "Be brief."}]}},
        {"tools": [{"googleSearch": {}}]},
        {"toolConfig": {"functionCallingConfig": {"mode": "AUTO"}}},
    ],
)
def test_what_only_the_cache_may_set_is_refused(
    http: httpx.Client, ask: Any, fields: dict[str, Any]
) -> None:
    name = create_cache(http)["name"]
    assert ask(http, asking_with(name, **fields))["error"]["message"] == ONLY_IN_THE_CACHE


@EVERY_DOOR
def test_the_models_must_be_the_same(http: httpx.Client, ask: Any) -> None:
    name = create_cache(http, model="models/gemini-2.5-pro")["name"]
    message = ask(http, asking_with(name))["error"]["message"]
    assert message == (
        "Model used by GenerateContent request (models/gemini-2.5-flash) and CachedContent "
        "(models/gemini-2.5-pro) has to be the same."
    )


@EVERY_DOOR
def test_faults_are_named_with_the_places_of_the_request(http: httpx.Client, ask: Any) -> None:
    name = create_cache(http)["name"]
    request = {"contents": [{"parts": [{}]}], "cachedContent": name}
    message = ask(http, request)["error"]["message"]
    assert message.startswith("* GenerateContentRequest.contents[0].parts[0].data: ")
    message = ask(http, {"cachedContent": name})["error"]["message"]
    assert "contents is not specified" in message


def test_contents_sent_again_count_twice(http: httpx.Client) -> None:
    created = create_cache(http)
    text = " ".join(f"word{number}" for number in range(WORDS))
    usage = plain(http, asking_with(created["name"], text))["usageMetadata"]
    assert (usage["promptTokenCount"], usage["cachedContentTokenCount"]) == (2 * WORDS, WORDS)


def test_tokens_are_counted_with_what_is_cached(http: httpx.Client) -> None:
    name = create_cache(http)["name"]
    body = {"generateContentRequest": asking_with(name) | {"model": "models/gemini-2.5-flash"}}
    assert http.post(f"{FLASH}:countTokens", json=body).json() == {
        "totalTokens": WORDS + 2,
        "cachedContentTokenCount": WORDS,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": WORDS + 2}],
        "cacheTokensDetails": [{"modality": "TEXT", "tokenCount": WORDS}],
    }


def test_requests_of_a_batch_with_and_without_a_cache(http: httpx.Client) -> None:
    name = create_cache(http)["name"]
    requests = [asking("one"), asking_with(name, "two"), asking_with("gone", "three")]
    done = finish(http, create_inline(http, [{"request": each} for each in requests])["name"])
    first, second, third = done["response"]["inlinedResponses"]["inlinedResponses"]
    assert "cachedContentTokenCount" not in first["response"]["usageMetadata"]
    assert second["response"]["usageMetadata"]["cachedContentTokenCount"] == WORDS
    assert third["error"] == {"code": 7, "message": MISSING["message"]}
    assert done["metadata"]["batchStats"]["failedRequestCount"] == "1"


def test_cached_tokens_cost_the_same_by_either_way(open_test_server: OpenServer) -> None:
    server = open_test_server(models=(PRICED,))
    with http_of(server) as http:
        name = create_cache(http)["name"]
        plain(http, asking_with(name, "two words"))
        inline(http, asking_with(name, "two words"))
        totals = server.call(server.server.ledger.totals())
    made = Usage(prompt_tokens=WORDS)
    used = Usage(prompt_tokens=WORDS + 2, cached_tokens=WORDS, output_tokens=2)
    by_kind = {total.kind: total for total in totals}
    assert by_kind[Kind.INTERACTIVE].usage == made + used
    assert by_kind[Kind.BATCH].usage == used
    # 40 cached tokens at 0.03, and two read and two written at 0.3 and 2.5 a million.
    cached, rest = 40 * 30_000, 2 * 300_000 + 2 * 2_500_000
    assert by_kind[Kind.INTERACTIVE].cost_units == 40 * 300_000 + cached + rest
    assert by_kind[Kind.BATCH].cost_units == cached + rest // 2
