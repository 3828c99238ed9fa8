"""The key keeps prompts together that begin alike; the digest separates equal requests."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toplu.batch.plan.sort_key import KEY_BYTES_MAX, digest_of, key_of, shared_bytes
from toplu.settings.model import ModelSettings
from toplu.settings.server import Deduplication
from toplu.wire.gemini.content import Content, GenerateContentRequest, Part
from toplu.wire.gemini.embedding import EmbedContentRequest
from toplu.wire.gemini.jsonl import read_line

MODEL = ModelSettings(name="m", engine="echo", temperature=0.7)


def a_line(*turns: str, system: str | None = None, **config: Any) -> bytes:
    request: dict[str, Any] = {
        "contents": [
            {"role": "model" if number % 2 else "user", "parts": [{"text": turn}]}
            for number, turn in enumerate(turns)
        ]
    }
    if system is not None:
        request["systemInstruction"] = {"parts": [{"text": system}]}
    if config:
        request["generationConfig"] = config
    return json.dumps(request).encode()


def a_request(line: bytes) -> GenerateContentRequest:
    return read_line(line, 1).request


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (a_line("a", system="s"), a_line("b", system="s")),
        (a_line("a", "b", "c"), a_line("a", "b", "d")),
        (
            a_line("the same beginning", temperature=1),
            a_line("the same beginning", maxOutputTokens=5),
        ),
    ],
)
def test_how_to_sample_is_no_part_of_the_prefix(one: bytes, other: bytes) -> None:
    keys = [key_of(a_request(line)) for line in (one, other)]
    (shared,) = shared_bytes(keys[0], keys[1:])
    assert shared >= min(map(len, keys)) - 1


def test_tools_and_cached_contents_come_before_the_conversation() -> None:
    tool = {"functionDeclarations": [{"name": "f"}]}
    with_tool = a_request(
        json.dumps({"tools": [tool], "contents": [{"parts": [{"text": "a"}]}]}).encode()
    )
    cached = a_request(
        json.dumps({"cachedContent": "c/1", "contents": [{"parts": [{"text": "a"}]}]}).encode()
    )
    assert key_of(with_tool).startswith(b'\x03[{"functionDeclarations"')
    assert key_of(cached).startswith(b"\x01c/1")


@given(depth=st.integers(0, 5 * KEY_BYTES_MAX))
@settings(max_examples=30)
def test_what_long_prompts_share_is_never_overstated_and_at_most_halved(depth: int) -> None:
    length = 6 * KEY_BYTES_MAX
    one, other = (
        key_of(a_request(a_line("x" * depth + mark + "x" * (length - depth)))) for mark in "ab"
    )
    (shared,) = shared_bytes(one, [other])
    assert shared <= depth + 6 <= max(2 * shared, shared + 6) + 6


@pytest.mark.parametrize(
    ("deduplication", "duplicates"), [("deterministic", False), ("all", True), ("never", False)]
)
def test_the_operator_decides_what_one_answer_does_for(
    deduplication: Deduplication, duplicates: bool
) -> None:
    request = a_request(a_line("a"))
    digest = digest_of(request, batch_model="m", model=MODEL, deduplication=deduplication)
    assert (digest is not None) is duplicates


def test_a_model_that_is_deterministic_by_itself_needs_no_temperature() -> None:
    request = a_request(a_line("a"))
    model = ModelSettings(name="m", engine="echo", temperature=0)
    assert digest_of(request, batch_model="m", model=model, deduplication="deterministic")


@pytest.mark.parametrize(
    ("tool", "answers"),
    [
        ({"googleSearch": {}}, 2),
        ({"urlContext": {}}, 2),
        ({"codeExecution": {}}, 2),
        ({"functionDeclarations": [{"name": "f"}]}, 1),
    ],
)
def test_a_tool_may_find_something_else_the_second_time(tool: dict[str, Any], answers: int) -> None:
    line = {
        "contents": [{"parts": [{"text": "a"}]}],
        "tools": [tool],
        "generationConfig": {"temperature": 0},
    }
    request = a_request(json.dumps(line).encode())
    assert (digest_by(request) is not None) is (answers == 1)


def digest_by(request: GenerateContentRequest | EmbedContentRequest) -> bytes | None:
    return digest_of(request, batch_model="m", model=MODEL, deduplication="deterministic")


def test_the_name_of_the_batchs_own_model_asks_for_nothing_else() -> None:
    line = a_line("a", temperature=0)
    plain = a_request(line)
    named = [msgspec.structs.replace(plain, model=name) for name in ("m", "models/m")]
    other = msgspec.structs.replace(plain, model="models/other")
    assert {digest_by(request) for request in named} == {digest_by(plain)}
    assert digest_by(other) != digest_by(plain)
    vector = EmbedContentRequest(content=Content(parts=[Part(text="a")]))
    foreign = msgspec.structs.replace(vector, model="models/other")
    assert digest_by(foreign) != digest_by(vector)


# Whatever a request may say beside its text, in a value that it may have.
SAID = {
    "systemInstruction": {"parts": [{"text": "s"}]},
    "tools": [{"functionDeclarations": [{"name": "f"}]}],
    "toolConfig": {"functionCallingConfig": {"mode": "NONE"}},
    "safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "OFF"}],
    "cachedContent": "cachedContents/1",
    "serviceTier": "flex",
}
CONFIG = {
    "candidateCount": 2,
    "stopSequences": ["x"],
    "maxOutputTokens": 3,
    "topP": 0.5,
    "topK": 2,
    "presencePenalty": 1,
    "frequencyPenalty": 1,
    "responseLogprobs": True,
    "logprobs": 1,
    "responseMimeType": "application/json",
    "responseSchema": {"type": "STRING"},
    "responseJsonSchema": {"type": "string"},
    "responseModalities": ["TEXT"],
    "mediaResolution": "MEDIA_RESOLUTION_LOW",
    "thinkingConfig": {"thinkingBudget": 1},
}


def test_everything_that_changes_an_answer_tells_requests_apart() -> None:
    asked = {"contents": [{"parts": [{"text": "a"}]}], "generationConfig": {"temperature": 0}}
    lines = [asked, *(asked | {name: value} for name, value in SAID.items())]
    config = asked["generationConfig"]
    lines += [
        asked | {"generationConfig": config | {name: value}} for name, value in CONFIG.items()
    ]
    digests = {digest_by(a_request(json.dumps(line).encode())) for line in lines}
    assert len(digests) == len(lines)


def test_a_relayed_request_is_as_deterministic_as_it_says_itself() -> None:
    relayed = ModelSettings(name="m", engine="gemini_server", temperature=0)
    request = a_request(a_line("a"))
    digest = digest_of(request, batch_model="m", model=relayed, deduplication="deterministic")
    assert digest is None
