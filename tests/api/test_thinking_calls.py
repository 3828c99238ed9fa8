"""thinkingConfig: thoughts returned or not, counted and paid for; models that do not think."""

import contextlib
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from google import genai
from google.genai import types
from msgspec.structs import replace

from support.api.batch_calls import asking, create_inline, finish
from support.api.local_server import ECHO, LocalServer, OpenServer, client_of
from support.api.stream_calls import events_of
from support.clients import http_client
from support.engines.engines_under_test import THINKING_TEMPLATE
from support.model_tables import model_table
from toplu.money import Usage
from toplu.settings.load import load
from toplu.settings.server import DEFAULT_MODEL, PriceSettings, ThinkingSettings

FLASH = "gemini-2.5-flash"
CALL = f"/v1beta/models/{FLASH}"
# The echo engine thinks what it then says: five words.
TEXT = "one two three four five"
THINKER = replace(ECHO, thinking=ThinkingSettings(budget_tokens=4), price=PriceSettings(output="1"))


@pytest.fixture
def server(open_test_server: OpenServer) -> LocalServer:
    return open_test_server(models=(THINKER,))


def thinking(**config: Any) -> dict[str, Any]:
    return asking(TEXT) | {"generationConfig": {"thinkingConfig": config}}


def answer_to(http: httpx.Client, request: dict[str, Any]) -> dict[str, Any]:
    reply = http.post(f"{CALL}:generateContent", json=request)
    assert reply.status_code == 200, reply.text
    return reply.json()


def test_the_sdk_gets_thoughts_before_the_text(client: genai.Client) -> None:
    config = types.GenerateContentConfig(
        thinking_config=types.ThinkingConfig(include_thoughts=True, thinking_budget=2)
    )
    answer = client.models.generate_content(model=FLASH, contents=TEXT, config=config)
    thought, said = answer.candidates[0].content.parts
    assert (thought.text, thought.thought) == ("one two", True)
    assert (said.text, said.thought) == (TEXT, None)
    assert answer.text == TEXT
    usage = answer.usage_metadata
    assert usage.prompt_token_count == 5
    assert usage.thoughts_token_count == 2
    assert usage.candidates_token_count == 5
    assert usage.total_token_count == 12


@pytest.mark.parametrize(
    ("config", "thoughts"),
    [
        ({"thinkingBudget": 0}, None),
        ({"thinkingBudget": 3}, 3),
        ({"thinkingBudget": -1}, 4),
        ({"thinkingLevel": "low"}, 5),
        ({"thinkingLevel": "THINKING_LEVEL_UNSPECIFIED"}, 4),
        ({}, 4),
    ],
)
def test_a_budget_or_a_level_bounds_the_thoughts_and_unasked_they_are_not_returned(
    http: httpx.Client, config: dict[str, Any], thoughts: int | None
) -> None:
    answer = answer_to(http, thinking(**config))
    assert answer["candidates"][0]["content"]["parts"] == [{"text": TEXT}]
    assert answer["usageMetadata"].get("thoughtsTokenCount") == thoughts
    assert answer["usageMetadata"]["candidatesTokenCount"] == 5
    assert answer["usageMetadata"]["totalTokenCount"] == 10 + (thoughts or 0)


@pytest.mark.parametrize("told", [True, False])
def test_a_stream_has_all_thoughts_first_or_none(http: httpx.Client, *, told: bool) -> None:
    request = thinking(includeThoughts=told, thinkingBudget=2)
    reply = http.post(f"{CALL}:streamGenerateContent?alt=sse", json=request)
    chunks = events_of(reply.text)
    parts = [part for chunk in chunks for part in chunk["candidates"][0]["content"]["parts"]]
    thoughts = [{"text": "one ", "thought": True}, {"text": "two", "thought": True}]
    assert parts[: len(parts) - 6] == (thoughts if told else [])
    assert "".join(part["text"] for part in parts if "thought" not in part) == TEXT
    assert chunks[-1]["usageMetadata"]["thoughtsTokenCount"] == 2


def test_a_line_of_a_batch_thinks_as_a_call_does_and_pays_for_it_as_output(
    server: LocalServer, http: httpx.Client
) -> None:
    request = thinking(includeThoughts=True, thinkingBudget=2)
    alone = answer_to(http, request)
    done = finish(http, create_inline(http, [{"request": request}])["name"])
    (line,) = done["response"]["inlinedResponses"]["inlinedResponses"]
    del alone["responseId"], line["response"]["responseId"]
    assert line["response"] == alone
    assert done["metadata"]["toplu"]["usage"]["outputTokenCount"] == "7"
    # Half a price of one for a million tokens.
    assert done["metadata"]["toplu"]["cost"]["amount"] == "0.0000035"
    usages = [total.usage for total in server.call(server.server.ledger.totals())]
    assert usages == [Usage(prompt_tokens=5, output_tokens=7)] * 2


def test_earlier_thoughts_are_no_part_of_the_conversation(http: httpx.Client) -> None:
    request = thinking(thinkingBudget=0)
    thought = {"text": "a long thought", "thought": True, "thoughtSignature": "AAEC"}
    turn = {"role": "model", "parts": [thought, {"text": "yes"}]}
    request["contents"] = [*asking("so")["contents"], turn, *request["contents"]]
    assert answer_to(http, request)["usageMetadata"]["promptTokenCount"] == 7


def test_a_model_says_whether_it_thinks(client: genai.Client) -> None:
    assert client.models.get(model=FLASH).thinking is True


def test_a_model_that_does_not_think_takes_every_wish_without_effect(
    open_test_server: OpenServer, tmp_path: Path
) -> None:
    server = open_test_server(data_dir=tmp_path / "other")
    with http_client(server.url) as http:
        answer = answer_to(http, thinking(includeThoughts=True, thinkingBudget=2))
        assert answer["candidates"][0]["content"]["parts"] == [{"text": TEXT}]
        assert "thoughtsTokenCount" not in answer["usageMetadata"]
        assert http.get(CALL).json().get("thinking") is None
        level = http.post(f"{CALL}:generateContent", json=thinking(thinkingLevel="GENIUS"))
        assert level.status_code == 400
        assert "thinking_level" in level.json()["error"]["message"]


@pytest.mark.model
def test_a_real_model_streams_its_thoughts_and_then_its_answer(
    open_test_server: OpenServer, tmp_path: Path
) -> None:
    # As `docs/OPERATING.md` says; `THINKING_TEMPLATE` says why it is that template.
    config = tmp_path / "toplu.toml"
    table = model_table(
        DEFAULT_MODEL,
        lanes=1,
        threads=1,
        chat_template=str(THINKING_TEMPLATE),
        thinking={"budget_tokens": 6},
    )
    config.write_text(table, encoding="utf-8")
    server = open_test_server(data_dir=tmp_path / "real", models=load(config, {}).models)
    thoughts = types.ThinkingConfig(include_thoughts=True)
    with contextlib.closing(client_of(server)) as client:
        stream = client.models.generate_content_stream(
            model=FLASH,
            contents="What is the capital of France?",
            config=types.GenerateContentConfig(
                thinking_config=thoughts, max_output_tokens=20, temperature=0, seed=7
            ),
        )
        chunks = list(stream)
    parts = [part for chunk in chunks for part in chunk.candidates[0].content.parts]
    kinds = [bool(part.thought) for part in parts]
    assert kinds == sorted(kinds, reverse=True)
    assert all(any(part.text for part in parts if bool(part.thought) is kind) for kind in kinds)
    usage = chunks[-1].usage_metadata
    assert usage.thoughts_token_count > 0
    assert usage.total_token_count == (
        usage.prompt_token_count + usage.thoughts_token_count + usage.candidates_token_count
    )
    assert usage.thoughts_token_count + usage.candidates_token_count <= 20
