"""The outcome of a duplicate is, byte for byte, what its line alone would have had."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import httpx2 as httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.api.batch_calls import finish, result_lines, upload_lines
from support.api.local_server import ECHO, echo_server, http_of
from support.fuzzing import fuzzed
from toplu.settings.server import EchoSettings, ModelSettings

pytestmark = pytest.mark.system

EMBEDDER = ModelSettings(
    name="words",
    aliases=("gemini-embedding-001",),
    engine="echo_embedder",
    dimensions=8,
    echo=EchoSettings(fail_pattern="please fail"),
)
CREATE = {
    "generate": "/v1beta/models/gemini-2.5-flash:batchGenerateContent",
    "embed": "/v1beta/models/gemini-embedding-001:asyncBatchEmbedContent",
}
# Values of fields of a line: good ones, other spellings of them, and bad ones.
MODELS = ["models/gemini-2.5-flash", "gemini-2.5-flash", "models/echo", "models/other", ""]
LABELS = [{"a": "b"}, {"a": "c"}, {"": "b"}, {"a": 1}]
TEXTS = ["same", "same ", "please fail", "[call f {}]"]
GENERATE = {
    "model": st.sampled_from(MODELS),
    "labels": st.sampled_from(LABELS),
    "store": st.booleans(),
    "serviceTier": st.sampled_from(["flex", "standard", "deferred"]),
    "cachedContent": st.sampled_from(["", "cachedContents/none"]),
    "systemInstruction": st.sampled_from([{"parts": [{"text": "s"}]}, {"parts": []}]),
    "tools": st.sampled_from([[], [{"functionDeclarations": [{"name": "f"}]}], [{"x": 1}]]),
}
CONFIG = {
    "temperature": st.sampled_from([0, 0.0, 3]),
    "seed": st.sampled_from([1, "1", 2**31]),
    "topK": st.sampled_from([40, 40.0]),
    "maxOutputTokens": st.sampled_from([1, 100, 0]),
    "candidateCount": st.sampled_from([1, 2]),
}
EMBED = {
    "model": st.sampled_from(
        ["models/gemini-embedding-001", "models/other", "gemini-embedding-001"]
    ),
    "outputDimensionality": st.sampled_from([4, "4", 99]),
    "title": st.sampled_from(["", "t"]),
    "taskType": st.sampled_from(["CLUSTERING", "clustering", "NONE"]),
}


PLAIN: dict[str, dict[str, Any]] = {
    "generate": {"contents": [{"parts": [{"text": "same"}]}], "generationConfig": {"seed": 1}},
    "embed": {"content": {"parts": [{"text": "same"}]}},
}


def changed(request: dict[str, Any], field: str, value: Any) -> dict[str, Any]:
    if field == "text":
        name = "contents" if "contents" in request else "content"
        content = {"parts": [{"text": value}]}
        return request | {name: [content] if name == "contents" else content}
    if field in CONFIG:
        return request | {"generationConfig": request["generationConfig"] | {field: value}}
    return request | {field: value}


@st.composite
def files(draw: st.DrawFn, method: str) -> list[bytes]:
    """Return lines of which each differs from one request in nothing, or in one field."""
    fields = {"text": st.sampled_from(TEXTS)} | (EMBED if method == "embed" else GENERATE | CONFIG)
    names = st.sampled_from(sorted(fields))
    base, field = PLAIN[method], draw(names)
    if draw(st.booleans()):
        base = changed(base, field, draw(fields[field]))
    lines = []
    for _ in range(draw(st.integers(2, 8))):
        request = base
        if draw(st.booleans()):
            field = draw(names)
            request = changed(base, field, draw(fields[field]))
        keyed = {"key": draw(st.sampled_from(["k", 1, "\u2028"])), "request": request}
        if draw(st.booleans()):
            keyed["metadata"] = draw(st.sampled_from([{}, {"a": None}, {"a": ["\x85"]}]))
        line = json.dumps(draw(st.sampled_from([keyed, request]))).encode()
        lines.append(line[: draw(st.sampled_from([None] * 7 + [-1]))])
    return lines


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[httpx.Client]]:
    """A server that answers duplicates once, and one that answers each line alone."""

    models = (ECHO, EMBEDDER)
    with ExitStack() as stack:
        servers = [
            stack.enter_context(
                echo_server(tmp_path_factory.mktemp(each), models=models, deduplication=each)
            )
            for each in ("deterministic", "never")
        ]
        yield [stack.enter_context(http_of(server)) for server in servers]


def outcomes(http: httpx.Client, method: str, lines: list[bytes]) -> list[Any]:
    """Return the results without the ids that are each response's own."""
    name = upload_lines(http, lines)
    body = {"batch": {"inputConfig": {"fileName": name}}}
    created = http.post(CREATE[method], json=body)
    if created.status_code != 200:
        return [created.json()["error"]["message"].replace(name, "the file")]
    results = result_lines(http, finish(http, created.json()["name"]))
    for result in results:
        response = result.get("response", {})
        response.pop("responseId", None)
        for candidate in response.get("candidates", []):
            for part in candidate["content"]["parts"]:
                part.get("functionCall", {}).pop("id", None)
    return results


@pytest.mark.parametrize("method", CREATE)
def test_a_line_among_its_like_is_answered_as_if_it_were_alone(
    both: list[httpx.Client], method: str
) -> None:
    @given(lines=files(method))
    @fuzzed(examples=40)
    def is_the_same(lines: list[bytes]) -> None:
        once, each = (outcomes(http, method, lines) for http in both)
        assert once == each

    is_the_same()
