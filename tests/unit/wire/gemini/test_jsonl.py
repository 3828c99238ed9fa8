"""Every line of a batch file becomes a request or an error that names the line."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.wire.renderings import free_forms, render_as_proto, requests
from toplu.errors import InvalidArgument, RequestError
from toplu.wire.gemini import jsonl
from toplu.wire.gemini.batch import InlinedRequest
from toplu.wire.gemini.content import (
    Candidate,
    Content,
    FinishReason,
    GenerateContentRequest,
    GenerateContentResponse,
    GenerationConfig,
    Part,
    UsageMetadata,
)
from toplu.wire.gemini.embedding import EmbedContentRequest, InlinedEmbedContentRequest, TaskType

HELLO = GenerateContentRequest(contents=[Content(parts=[Part(text="hi")])])


def an_answer(text: str = "hello") -> GenerateContentResponse:
    candidate = Candidate(
        content=Content(role="model", parts=[Part(text=text)]),
        finish_reason=FinishReason.STOP,
        index=0,
    )
    usage = UsageMetadata(prompt_token_count=3, candidates_token_count=1, total_token_count=4)
    return GenerateContentResponse(
        candidates=[candidate], usage_metadata=usage, model_version="m", response_id="r"
    )


def refusal(line: bytes, number: int = 1) -> str:
    with pytest.raises(InvalidArgument) as caught:
        jsonl.read_line(line, number)
    assert caught.value.details == ()
    return caught.value.message


def complaint_start(read: Callable[[bytes], object], line: bytes) -> str | None:
    try:
        read(line)
    except InvalidArgument as error:
        return error.message[: len("Error on line 1: ")]
    return None


@pytest.mark.parametrize("key", ["request-1", "", 7, 1.5, None])
def test_a_keyed_line_is_read(key: Any) -> None:
    request = {"contents": [{"parts": [{"text": "hi"}]}]}
    line = json.dumps({"key": key, "request": request, "metadata": {"a": [1]}}).encode()
    expected = jsonl.BatchLine(key=key, metadata={"a": [1]}, request=HELLO)
    assert jsonl.read_line(line, 1) == expected


def test_a_bare_request_is_a_line_too() -> None:
    expected = jsonl.BatchLine(key=None, metadata=None, request=HELLO)
    assert jsonl.read_line(b'{"contents": [{"parts": [{"text": "hi"}]}]}', 1) == expected
    assert jsonl.read_line(b'{"contents": {"parts": {"text": "hi"}}}', 1) == expected


def test_both_spellings_are_read_in_both_forms() -> None:
    expected = GenerateContentRequest(generation_config=GenerationConfig(top_k=4))
    for config in (b'"generationConfig": {"topK": 4}', b'"generation_config": {"top_k": "4.0"}'):
        assert jsonl.read_line(b"{" + config + b"}", 1).request == expected
        keyed = jsonl.read_line(b'{"key": "a", "request": {' + config + b"}}", 1)
        assert (keyed.key, keyed.request) == ("a", expected)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"[1]", "invalid JSON, near column 1: unexpected character: '['; expected '{'"),
        (b" 5", "invalid JSON, near column 2: unexpected character: '5'; expected '{'"),
        (b'{"key": "a"', "invalid JSON, near column 12: unexpected end of line"),
        (b'{"key": "\xff"}', "invalid JSON, near column 10: the text is not UTF-8"),
        (b'{"key": "a", "request": null}', "request is not specified"),
        (b'{"key": "a"}', "request is not specified"),
        (b'{"key": true, "request": {}}', "Invalid value at 'key' (TYPE_STRING), true"),
        (
            b'{"key": "a", "request": {}, "metadata": 1}',
            "Invalid value at 'metadata' (type.googleapis.com/google.protobuf.Struct), 1",
        ),
        (
            b'{"key": "a", "request": {"thinking_config": {}}}',
            (
                'Invalid JSON payload received. Unknown name "thinking_config" at '
                "'request': Cannot find field."
            ),
        ),
        (
            b'{"generationConfig": {"seed": "x"}}',
            "Invalid value at 'generation_config.seed' (TYPE_INT32), \"x\"",
        ),
    ],
)
def test_a_bad_line_is_named_by_its_number(line: bytes, reason: str) -> None:
    assert refusal(line, number=12) == f"Error on line 12: {reason}"


@pytest.mark.parametrize(
    "line",
    [
        b"{'contents': []}",
        b'{"contents": [],}',
        b"{contents: []}",
        b'{"contents": []} {}',
        b'{"model": "a\tb"}',
    ],
)
def test_the_syntax_of_a_line_is_strict(line: bytes) -> None:
    assert refusal(line).startswith("Error on line 1: invalid JSON, near column ")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"tools": [NaN]}', "Unexpected token."),
        (rb'{"model": "\ud83d"}', "Missing low surrogate."),
        (b'{"tools": [1e999]}', "Number exceeds the range of double."),
        (b'{"tools": [' + b"9" * 5000 + b"]}", "Number exceeds the range of double."),
        (b'{"tools": ' + b"[" * 100 + b"]" * 100 + b"}", "Message too deep."),
        (b'{"tools": ' + b"[" * 5000 + b"]" * 5000 + b"}", "Message too deep."),
    ],
)
def test_what_only_some_readers_take_is_refused_with_the_reason(line: bytes, reason: str) -> None:
    assert refusal(line).startswith(f"Error on line 1: Invalid JSON payload received. {reason}")


@given(st.binary(max_size=40) | st.text(alphabet='{}[]":,key request\\u0', max_size=30))
def test_no_line_raises_anything_but_invalid_argument(line: bytes | str) -> None:
    line = line.encode() if isinstance(line, str) else line
    start = complaint_start(lambda line: jsonl.read_line(line, 1), line)
    assert start in {None, "Error on line 1: "}
    if not jsonl.is_object(line):
        assert start == "Error on line 1: "
        assert jsonl.object_fault(line, 1).startswith("Error on line 1: ")
    jsonl.identify(line)


@given(requests, st.none() | free_forms)
def test_an_inline_entry_reads_back_from_its_line(
    request: GenerateContentRequest, metadata: dict[str, Any] | None
) -> None:
    line = jsonl.write_inlined(InlinedRequest(request=request, metadata=metadata))

    assert b"\n" not in line
    expected = jsonl.BatchLine(key=None, metadata=metadata, request=request)
    assert jsonl.read_line(line, 1) == expected


def test_an_inline_entry_without_a_request_is_a_bad_line() -> None:
    line = jsonl.write_inlined(InlinedRequest(metadata={"key": "a"}))
    assert refusal(line) == "Error on line 1: request is not specified"
    assert refusal(jsonl.write_inlined(InlinedRequest())).endswith("request is not specified")
    assert jsonl.identify(line) == (None, {"key": "a"})


@given(requests, st.none() | st.text("ab1", max_size=3) | st.integers(), free_forms)
def test_the_spelling_of_a_line_changes_nothing(
    request: GenerateContentRequest, key: Any, metadata: dict[str, Any]
) -> None:
    value = {"key": key, "request": render_as_proto(request), "metadata": metadata}
    line = jsonl.read_line(json.dumps(value).encode(), 1)
    assert line == jsonl.BatchLine(key=key, metadata=metadata, request=request)


@pytest.mark.parametrize(
    ("line", "identity"),
    [
        (b'{"key": "a", "request": {"x": 1}, "metadata": {"b": 2}}', ("a", {"b": 2})),
        (b'{"request": 5, "key": 7}', (7, None)),
        (b'{"key": true, "metadata": "m", "request": {}}', (None, None)),
        (b'{"key": "a\\"b", "request": {', ('a"b', None)),
        (b"{'key': 'a', 'request': {}}", (None, None)),
        (b'{"key": "a" "request": {}}', ("a", None)),
        (rb'{"key": "\ud83d", "request": {', (None, None)),
        (b'{"key": "a", "request": ' + b"[" * 5000, ("a", None)),
        (b'{"key": "a", "request": ' + b"[" * 200 + b"]" * 200 + b"}", ("a", None)),
        (b'{"key": "a", "metadata": {"m": ' + b"[" * 200 + b"]" * 200 + b"}}", ("a", None)),
        (b"[]", (None, None)),
        (b"\xff\xfe", (None, None)),
        (b"", (None, None)),
    ],
)
def test_a_bad_line_is_identified_as_far_as_it_can_be(line: bytes, identity: Any) -> None:
    assert jsonl.identify(line) == identity


def test_a_response_is_written_with_its_key() -> None:
    line = jsonl.write_result("request-1", None, an_answer())
    assert json.loads(line) == {
        "response": {
            "candidates": [
                {
                    "content": {"parts": [{"text": "hello"}], "role": "model"},
                    "finishReason": "STOP",
                    "index": 0,
                }
            ],
            "usageMetadata": {
                "promptTokenCount": 3,
                "candidatesTokenCount": 1,
                "totalTokenCount": 4,
            },
            "modelVersion": "m",
            "responseId": "r",
        },
        "key": "request-1",
    }


def test_an_error_is_written_as_its_code_and_message_only() -> None:
    line = jsonl.write_result(0, {}, RequestError(code=3, message="bad\nline"))
    expected = {"error": {"code": 3, "message": "bad\nline"}, "key": 0, "metadata": {}}
    assert json.loads(line) == expected
    assert b"\n" not in line


def test_metadata_comes_back_as_strings() -> None:
    metadata = {"text": "a", "number": 1.5, "truth": True, "nothing": None, "tree": {"ç": [1, "x"]}}
    line = jsonl.write_result(None, metadata, RequestError(code=13, message="m"))
    assert json.loads(line)["metadata"] == {
        "text": "a",
        "number": "1.5",
        "truth": "true",
        "tree": '{"ç":[1,"x"]}',
    }


def test_half_a_surrogate_pair_from_an_engine_loses_no_result() -> None:
    line = jsonl.write_result("k", None, an_answer("a\ud83d"))
    parts = json.loads(line)["response"]["candidates"][0]["content"]["parts"]
    assert parts == [{"text": "a?"}]
    assert json.loads(line)["key"] == "k"


@pytest.mark.parametrize("line", [b"{}", b' {"contents": []} ', b'{"key": 1, "x": [{}]}'])
def test_any_json_object_makes_a_file_one_of_lines(line: bytes) -> None:
    assert jsonl.is_object(line)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"[", "unexpected end of line"),
        (b"[{}]", "unexpected character: '['; expected '{'"),
        (b"{", "unexpected end of line"),
        (b"key,text", "unexpected character: 'k'; Expecting value"),
        (b"\x89PNG", "the text is not UTF-8"),
    ],
)
def test_what_is_no_json_object_says_why(line: bytes, reason: str) -> None:
    assert not jsonl.is_object(line)
    fault = jsonl.object_fault(line, 7)
    assert fault.startswith("Error on line 7: invalid JSON, near column ")
    assert fault.endswith(reason)


@pytest.mark.parametrize(
    "line",
    [
        b'{"key": "k", "request": {"content": {"parts": [{"text": "x"}]}, "taskType": 5}}',
        b'{"key": "k", "request": {"content": {"parts": {"text": "x"}}, "task_type": 5}}',
    ],
)
def test_a_line_of_embeddings_is_read_in_every_spelling(line: bytes):
    read = jsonl.EMBED_LINES.read(line, 1)
    assert read.key == "k"
    assert read.request == EmbedContentRequest(
        content=Content(parts=[Part(text="x")]), task_type=TaskType.CLUSTERING
    )


def test_an_inlined_embedding_request_reads_back_equal():
    request = EmbedContentRequest(content=Content(parts=[Part(text="x")]), output_dimensionality=3)
    entry = InlinedEmbedContentRequest(request=request, metadata={"a": [1]})
    read = jsonl.EMBED_LINES.read(jsonl.write_inlined(entry), 1)
    assert (read.key, read.metadata, read.request) == (None, {"a": [1]}, request)
