"""Faults of a message are named in Google's words, all at once, and within bounds."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.wire.renderings import json_values
from toplu.errors import InvalidArgument
from toplu.wire.gemini import proto_json
from toplu.wire.gemini.batch import BatchGenerateContentRequest, GenerateContentBatch
from toplu.wire.gemini.content import (
    Content,
    CountTokensRequest,
    GenerateContentRequest,
    GenerationConfig,
)
from toplu.wire.gemini.message import write

API = "type.googleapis.com/google.ai.generativelanguage.v1beta."


def refusal(body: str, at: str = "") -> InvalidArgument:
    with pytest.raises(InvalidArgument) as caught:
        proto_json.read(GenerateContentRequest, body.encode(), at)
    return caught.value


def test_an_unknown_name_is_refused_with_its_place() -> None:
    request = {"generation_config": {"thinkingConfigs": 1}}
    body = {"batch": {"inputConfig": {"requests": {"requests": [{"request": request}]}}}}
    with pytest.raises(InvalidArgument) as caught:
        proto_json.read(BatchGenerateContentRequest, json.dumps(body).encode())

    place = "batch.input_config.requests.requests[0].request.generation_config"
    description = (
        'Invalid JSON payload received. Unknown name "thinkingConfigs" '
        f"at '{place}': Cannot find field."
    )
    assert caught.value.message == description
    (detail,) = caught.value.details
    assert detail == {
        "@type": "type.googleapis.com/google.rpc.BadRequest",
        "fieldViolations": [{"field": place, "description": description}],
    }


def test_an_unknown_name_at_the_top_has_no_place() -> None:
    message = 'Invalid JSON payload received. Unknown name "foo_Bar": Cannot find field.'
    error = refusal('{"foo_Bar": 1}')
    assert error.message == message
    assert error.details[0]["fieldViolations"] == [{"description": message}]


def test_the_place_of_the_message_itself_can_be_given() -> None:
    assert "Unknown name \"x\" at 'request':" in refusal('{"x": 1}', at="request").message
    message = refusal('{"contents": [{"x": 1}]}', at="request").message
    assert "Unknown name \"x\" at 'request.contents[0]':" in message


def test_all_faults_are_in_one_answer() -> None:
    error = refusal('{"a": 1, "contents": [{"b": 2}, 3], "generationConfig": {"topK": "x"}}')
    assert error.message.split("\n") == [
        'Invalid JSON payload received. Unknown name "a": Cannot find field.',
        "Invalid JSON payload received. Unknown name \"b\" at 'contents[0]': Cannot find field.",
        f"Invalid value at 'contents[1]' ({API}Content), 3",
        "Invalid value at 'generation_config.top_k' (TYPE_INT32), \"x\"",
    ]
    fields = [each.get("field") for each in error.details[0]["fieldViolations"]]
    assert fields == [None, "contents[0]", "contents[1]", "generation_config.top_k"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ('{"model": 5}', "Invalid value at 'model' (TYPE_STRING), 5"),
        ('{"model": true}', "Invalid value at 'model' (TYPE_STRING), true"),
        ('{"store": 1}', "Invalid value at 'store' (TYPE_BOOL), 1"),
        ('{"store": "yes"}', "Invalid value at 'store' (TYPE_BOOL), \"yes\""),
        ('{"model": {}}', "Invalid value at '' (model), Starting an object on a scalar field"),
        (
            '{"contents": [{"parts": [{"text": {}}]}]}',
            "Invalid value at 'contents[0].parts[0]' (text), Starting an object on a scalar field",
        ),
        (
            '{"contents": [{"parts": [{"inlineData": {"mime_type": ["x"]}}]}]}',
            (
                'Invalid JSON payload received. Unknown name "mime_type" at '
                "'contents[0].parts[0].inline_data': "
                "Proto field is not repeating, cannot start list."
            ),
        ),
        (
            '{"systemInstruction": [{"parts": []}]}',
            (
                'Invalid JSON payload received. Unknown name "systemInstruction": '
                "Proto field is not repeating, cannot start list."
            ),
        ),
        (
            '{"contents": [{"parts": [{"inlineData": {"data": "A"}}]}]}',
            "Invalid value at 'contents[0].parts[0].inline_data.data' (TYPE_BYTES), \"A\"",
        ),
        (
            '{"contents": [{"parts": [{"inlineData": {"data": "Aç=="}}]}]}',
            "Invalid value at 'contents[0].parts[0].inline_data.data' (TYPE_BYTES), \"Aç==\"",
        ),
        (
            '{"safetySettings": [{"category": "FOO"}]}',
            f"Invalid value at 'safety_settings[0].category' ({API}HarmCategory), \"FOO\"",
        ),
        (
            '{"safetySettings": {"threshold": 6}}',
            (
                "Invalid value at 'safety_settings[0].threshold' "
                f"({API}SafetySetting.HarmBlockThreshold), 6"
            ),
        ),
        (
            '{"system_instruction": "be nice"}',
            f"Invalid value at 'system_instruction' ({API}Content), \"be nice\"",
        ),
        ("[]", 'Invalid JSON payload received. Unknown name "": Root element must be a message.'),
        ("5", 'Invalid JSON payload received. Unknown name "": Root element must be a message.'),
    ],
)
def test_a_wrong_value_is_refused_in_googles_words(body: str, message: str) -> None:
    assert refusal(body).message == message


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [
        ("temperature", '"abc"', "TYPE_FLOAT"),
        ("temperature", '"NaN"', "TYPE_FLOAT"),
        ("temperature", '"Infinity"', "TYPE_FLOAT"),
        ("temperature", '" 1"', "TYPE_FLOAT"),
        ("temperature", '"1e999"', "TYPE_FLOAT"),
        ("temperature", "true", "TYPE_FLOAT"),
        ("seed", "1.5", "TYPE_INT32"),
        ("seed", '"1.5"', "TYPE_INT32"),
        ("seed", "2147483648", "TYPE_INT32"),
        ("seed", "-2147483649", "TYPE_INT32"),
        ("seed", '"2147483648"', "TYPE_INT32"),
        ("seed", "true", "TYPE_INT32"),
        ("seed", '""', "TYPE_INT32"),
    ],
)
def test_a_number_that_is_none_is_refused(name: str, value: str, kind: str) -> None:
    message = refusal(f'{{"generationConfig": {{"{name}": {value}}}}}').message
    assert message == f"Invalid value at 'generation_config.{name}' ({kind}), {value}"


@pytest.mark.parametrize("value", ["9223372036854775808", '"x"', '"99999999999999999999"', "1.5"])
def test_a_64_bit_integer_that_is_none_is_refused(value: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        proto_json.read(GenerateContentBatch, f'{{"priority": {value}}}'.encode())
    assert caught.value.message == f"Invalid value at 'priority' (TYPE_INT64), {value}"


def test_a_struct_must_be_an_object() -> None:
    body = b'{"inputConfig": {"requests": {"requests": [{"metadata": "k"}]}}}'
    with pytest.raises(InvalidArgument) as caught:
        proto_json.read(GenerateContentBatch, body)
    assert caught.value.message == (
        "Invalid value at 'input_config.requests.requests[0].metadata' "
        '(type.googleapis.com/google.protobuf.Struct), "k"'
    )


def test_an_error_is_bounded_whatever_the_body() -> None:
    typos = json.dumps({f"typo{number}": 1 for number in range(5000)})
    assert len(refusal(typos).message.split("\n")) == 100
    typos = json.dumps({"contents": [{"typo": 1} for _ in range(5000)]})
    assert len(refusal(typos).message.split("\n")) == 100
    assert len(refusal(json.dumps({"store": "x" * 10_000})).message) < 300
    assert len(refusal(json.dumps({"x" * 10_000: 1})).message) < 300


@pytest.mark.parametrize("depth", [101, 2000])
def test_nesting_is_bounded_in_strict_json_too(depth: int) -> None:
    for name in ("responseJsonSchema", "response_json_schema"):
        body = f'{{"{name}": ' + "[" * (depth - 1) + "]" * (depth - 1) + "}"
        with pytest.raises(InvalidArgument) as caught:
            proto_json.read(GenerationConfig, body.encode())
        reason = f"Message too deep. Max recursion depth reached for key '{name}'\n"
        assert caught.value.message.startswith(f"Invalid JSON payload received. {reason}")


def test_an_unknown_field_of_count_tokens_is_refused() -> None:
    body = b'{"contents": [], "systemInstruction": {}}'
    with pytest.raises(InvalidArgument, match='Unknown name "systemInstruction"'):
        proto_json.read(CountTokensRequest, body)


names = st.sampled_from(
    [
        *GenerateContentRequest.__struct_fields__,
        *("parts", "text", "x", "responseSchema", "properties", "items", "anyOf", "type"),
    ]
)
wrong_shapes = st.recursive(
    json_values,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=15,
)


@given(wrong_shapes)
def test_no_value_raises_anything_but_invalid_argument(value: Any) -> None:
    for message_type in (GenerateContentRequest, BatchGenerateContentRequest, Content):
        with contextlib.suppress(InvalidArgument):
            read_back = proto_json.read_value(message_type, value)
            assert proto_json.read(message_type, write(read_back)) == read_back
