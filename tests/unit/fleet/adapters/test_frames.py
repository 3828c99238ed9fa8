"""A prompt in a known frame is the one that all rules make, for whatever request."""

from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from toplu.engines.translation.prompt import read_prompt
from toplu.errors import TopluError
from toplu.fleet.adapters import frames
from toplu.fleet.adapters.frames import Frames
from toplu.settings.server import ModelSettings
from toplu.wire.gemini.content import GenerateContentRequest

MODEL = ModelSettings(name="m", engine="echo", output_tokens_max=100)
SCHEMA = {"type": "OBJECT", "properties": {"a": {"type": "STRING"}}}

texts = st.sampled_from(["", "a", "é", "line 1", "\ud800", "x\ny"])
plain_parts = st.builds(lambda text: {"text": text}, texts)
other_parts = st.sampled_from(
    [
        {},
        {"text": "a", "thought": True},
        {"text": "a", "thoughtSignature": "eA=="},
        {"text": "a", "videoMetadata": {}},
        {"inlineData": {"mimeType": "image/png", "data": "eA=="}},
        {"functionCall": {"name": "f", "args": {}}},
        {"functionResponse": {"name": "f", "response": {}}},
    ]
)
roles = st.sampled_from([None, "", "user", "model", "function", "system"])


def contents_of(parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries({"role": roles, "parts": st.none() | st.lists(parts, max_size=3)})


plain_contents = st.lists(
    st.fixed_dictionaries(
        {"parts": st.lists(plain_parts, min_size=1, max_size=2)}, optional={"role": roles}
    ),
    min_size=1,
    max_size=3,
)
configs = st.fixed_dictionaries(
    {},
    optional={
        "temperature": st.sampled_from([0, 0.5, 1, 3, float("nan")]),
        "topK": st.sampled_from([0, 5, -1]),
        "maxOutputTokens": st.sampled_from([0, 1, 1000]),
        "candidateCount": st.sampled_from([1, 2, 9]),
        "stopSequences": st.lists(texts, max_size=2),
        "seed": st.sampled_from([0, 1]),
        "responseLogprobs": st.booleans(),
        "logprobs": st.sampled_from([0, 3]),
        "responseMimeType": st.sampled_from(["text/plain", "application/json", "text/html"]),
        "responseSchema": st.just(SCHEMA),
        "responseModalities": st.sampled_from([["TEXT"], ["IMAGE"]]),
        "speechConfig": st.just({}),
        "thinkingConfig": st.sampled_from([{}, {"thinkingBudget": 5}, {"thinkingBudget": -2}]),
    },
)
frame_fields = st.fixed_dictionaries(
    {},
    optional={
        "model": st.sampled_from(["models/m", "models/n"]),
        "labels": st.just({"a": "b"}),
        "systemInstruction": contents_of(plain_parts | other_parts),
        "generationConfig": configs,
        "tools": st.sampled_from([[], [{"functionDeclarations": [{"name": "f"}]}], [{}]]),
        "toolConfig": st.just({"functionCallingConfig": {"mode": "ANY"}}),
        "safetySettings": st.just([]),
        "serviceTier": st.just("flex"),
        "cachedContent": st.sampled_from(["", "cachedContents/c"]),
        "continuationToken": st.just("t"),
    },
)


def request_of(fields: dict[str, Any], contents: Any) -> GenerateContentRequest:
    return msgspec.convert(fields | {"contents": contents}, GenerateContentRequest)


def by_all_rules(request: GenerateContentRequest) -> Any:
    try:
        return read_prompt(request, MODEL)
    except TopluError as error:
        return error.message


def known_after(*requests: GenerateContentRequest) -> Frames:
    known = Frames()
    for request in requests:
        if not isinstance(prompt := by_all_rules(request), str):
            known.keep(request, prompt)
    return known


@example([{"role": "model", "parts": [{"text": text}]} for text in "ab"])
@given(st.lists(contents_of(plain_parts) | contents_of(plain_parts | other_parts), max_size=3))
def test_contents_are_found_only_as_all_rules_read_them(contents: Any):
    request = request_of({}, contents)
    found = known_after(request_of({}, PLAIN[0])).find(request)
    assert found is None or found == by_all_rules(request)


@given(frame_fields, frame_fields, plain_contents, plain_contents)
def test_frames_are_found_only_as_all_rules_read_them(
    one: dict[str, Any], other: dict[str, Any], before: Any, contents: Any
):
    known = known_after(request_of(one, before), request_of(other, before))
    for fields in (one, other):
        request = request_of(fields, contents)
        found = known.find(request)
        assert found is None or found == by_all_rules(request)


PLAIN = [
    [{"parts": [{"text": "a"}]}],
    [{"role": "user", "parts": [{"text": "a"}, {"text": "é"}]}],
    [
        {"parts": [{"text": "a"}]},
        {"role": "model", "parts": [{"text": "b"}]},
        {"parts": [{"text": ""}]},
    ],
]


@pytest.mark.parametrize("contents", PLAIN)
def test_plain_contents_are_found_in_a_frame_that_was_kept(contents: Any):
    fields = {
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
        "generationConfig": {"responseMimeType": "application/json", "responseSchema": SCHEMA},
    }
    known = Frames()
    first = request_of(fields, PLAIN[0])
    assert known.find(first) is None
    known.keep(first, read_prompt(first, MODEL))
    request = request_of(fields | {"labels": {"a": "b"}}, contents)
    assert known.find(request) == read_prompt(request, MODEL)


def test_the_frames_that_are_kept_are_bounded_in_number_and_size(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(frames, "FRAMES_MAX", 2)
    monkeypatch.setattr(frames, "FRAME_BYTES_MAX", 100)
    known = Frames()
    requests = [request_of({"generationConfig": {"seed": seed}}, PLAIN[0]) for seed in range(3)]
    large = {"systemInstruction": {"parts": [{"text": "a" * 100}]}}
    for request in (*requests, request_of(large, PLAIN[0])):
        known.keep(request, read_prompt(request, MODEL))
    assert [known.find(request) is not None for request in requests] == [False, True, True]
    assert known.find(request_of(large, PLAIN[0])) is None
