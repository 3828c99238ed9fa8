"""A message reads the same in every spelling that protobuf takes; faults are told all at once."""

import base64
import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from renderings import json_values, render_as_proto, render_loosely, requests

from toplu.errors import InvalidArgument
from toplu.gemini import message, proto_json
from toplu.gemini.batch import BatchGenerateContentRequest, GenerateContentBatch
from toplu.gemini.content import (
    Blob,
    Content,
    CountTokensRequest,
    GenerateContentRequest,
    GenerationConfig,
    HarmBlockThreshold,
    HarmCategory,
    Part,
    SafetySetting,
)
from toplu.gemini.file import CreateFileRequest

API = "type.googleapis.com/google.ai.generativelanguage.v1beta."


def read(body: str) -> GenerateContentRequest:
    return proto_json.read(GenerateContentRequest, body.encode())


def read_config(body: str) -> GenerationConfig:
    return proto_json.read(GenerationConfig, body.encode())


def read_part(body: str) -> Part:
    return proto_json.read(Part, body.encode())


def refusal(body: str, at: str = "") -> InvalidArgument:
    with pytest.raises(InvalidArgument) as caught:
        proto_json.read(GenerateContentRequest, body.encode(), at)
    return caught.value


# What python-genai 3.4.0 really sends, with its mix of spellings.
SDK_BODY = """
{"batch": {
  "inputConfig": {"requests": {"requests": [
    {"request": {
        "contents": [{"parts": [{"text": "plain string"}], "role": "user"}],
        "systemInstruction": {"parts": [{"text": "You are a cat."}]},
        "safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}],
        "tools": [{"googleSearch": {}}],
        "toolConfig": {"functionCallingConfig": {"allowedFunctionNames": ["f"], "mode": "ANY"}},
        "cachedContent": "cachedContents/abc",
        "generationConfig": {"temperature": 0.7, "topP": 0.9, "topK": 4.0, "candidateCount": 2,
          "maxOutputTokens": 9, "stopSequences": ["x"], "responseLogprobs": true, "logprobs": 3,
          "presencePenalty": 0.1, "frequencyPenalty": 0.2, "seed": 3,
          "responseMimeType": "application/json",
          "responseSchema": {"type": "ARRAY", "items": {"type": "OBJECT",
             "properties": {"recipe_name": {"title": "Recipe Name", "type": "STRING"}},
             "property_ordering": ["recipe_name"], "required": ["recipe_name"]}},
          "responseModalities": ["TEXT"], "mediaResolution": "MEDIA_RESOLUTION_LOW",
          "thinkingConfig": {"include_thoughts": true, "thinking_budget": 0}}},
     "metadata": {"key": "request-1"}},
    {"request": {"model": "models/gemini-2.5-pro",
        "contents": [{"parts": [{"text": "q"},
            {"inlineData": {"data": "AAH__g==", "mime_type": "image/png"}},
            {"fileData": {"file_uri": "http://x/v1beta/files/abc", "mime_type": "image/png"}}],
          "role": "user"}],
        "systemInstruction": {"parts": [{"text": "be nice"}], "role": "user"}},
     "metadata": {"key": "k2"}}]}},
  "displayName": "n",
  "webhookConfig": {"uris": ["https://e.x/h"], "user_metadata": {"a": "b"}}}}
"""


def test_a_body_of_the_python_sdk_is_read() -> None:
    batch = proto_json.read(BatchGenerateContentRequest, SDK_BODY.encode()).batch

    assert batch is not None
    assert batch.display_name == "n"
    assert batch.webhook_config == {"uris": ["https://e.x/h"], "user_metadata": {"a": "b"}}
    first, second = batch.input_config.requests.requests
    assert first.metadata == {"key": "request-1"}
    config = first.request.generation_config
    assert (config.top_k, config.temperature, config.seed) == (4, 0.7, 3)
    assert config.thinking_config == {"include_thoughts": True, "thinking_budget": 0}
    assert config.response_schema["items"]["property_ordering"] == ["recipe_name"]
    assert first.request.tools == [{"googleSearch": {}}]
    text, image, file = second.request.contents[0].parts
    assert text == Part(text="q")
    assert image.inline_data == Blob(mime_type="image/png", data=b"\x00\x01\xff\xfe")
    assert file.file_data.file_uri == "http://x/v1beta/files/abc"


def test_the_curl_bodies_of_the_specification_are_read() -> None:
    body = b"{'batch': {'display_name': 'mine', 'input_config': {'file_name': 'files/a'}}}"
    batch = proto_json.read(BatchGenerateContentRequest, body).batch
    assert batch is not None
    assert (batch.display_name, batch.input_config.file_name) == ("mine", "files/a")

    file = proto_json.read(CreateFileRequest, b"{'file': {'display_name': 'BatchInput'}}").file
    assert file is not None
    assert file.display_name == "BatchInput"


def test_a_blank_body_is_an_empty_message() -> None:
    assert read("") == read(" \n") == read("{}") == GenerateContentRequest()


def test_null_is_the_same_as_absent() -> None:
    assert read('{"contents": null, "tools": null, "generation_config": null}') == read("{}")
    assert read('{"contents": [null, {"role": "user"}]}').contents == [Content(role="user")]


def test_one_value_stands_for_a_list_of_one() -> None:
    expected = GenerateContentRequest(contents=[Content(parts=[Part(text="x")])], tools=[{"a": 1}])
    assert read('{"contents": {"parts": {"text": "x"}}, "tools": {"a": 1}}') == expected
    assert read_config('{"stopSequences": "x"}').stop_sequences == ["x"]


def test_of_both_spellings_in_one_body_the_last_wins() -> None:
    assert read_config('{"topK": 1, "top_k": 2}').top_k == 2
    assert read_config('{"top_k": 2, "topK": 1}').top_k == 1
    assert read_config('{"top_k": 2, "topK": null}').top_k == 2


def test_the_schema_field_has_a_third_name() -> None:
    schema = {"type": "object", "properties": {"full_name": {"type": ["string", "null"]}}}
    for name in ("responseJsonSchema", "response_json_schema", "_responseJsonSchema"):
        assert read_config(json.dumps({name: schema})).response_json_schema == schema


def test_free_form_values_keep_their_keys_and_nulls() -> None:
    args = {"first_name": None, "lastName": [1, {"a_b": "2"}]}
    call = {"name": "f", "args": args}
    assert read_part(json.dumps({"function_call": call})).function_call == call
    inlined = {"request": {}, "metadata": args}
    body = {"input_config": {"requests": {"requests": [inlined]}}}
    batch = proto_json.read_value(GenerateContentBatch, body)
    assert batch.input_config is not None
    assert batch.input_config.requests.requests[0].metadata == args


@pytest.mark.parametrize("value", ["40", "40.0", '"40"', '"40.0"', "4e1", '"4e1"'])
def test_a_whole_number_may_come_in_any_form(value: str) -> None:
    top_k = read_config(f'{{"topK": {value}}}').top_k
    assert top_k == 40
    assert isinstance(top_k, int)


@pytest.mark.parametrize("value", ["2", "2.0", '"2"', '"2.0"', '"2e0"'])
def test_a_float_may_come_in_any_form(value: str) -> None:
    assert read_config(f'{{"temperature": {value}}}').temperature == 2.0


@pytest.mark.parametrize("value", ["-7", "-7.0", '"-7"', '"-7.0"'])
def test_a_64_bit_integer_is_kept_as_a_string(value: str) -> None:
    batch = proto_json.read(GenerateContentBatch, f'{{"priority": {value}}}'.encode())
    assert batch.priority == "-7"


def test_a_64_bit_integer_loses_no_digit() -> None:
    body = b'{"priority": 9223372036854775807}'
    assert proto_json.read(GenerateContentBatch, body).priority == "9223372036854775807"


def test_a_bool_may_be_its_name_in_quotes() -> None:
    assert read_part('{"thought": "true"}').thought is True
    assert read_part('{"thought": "false"}').thought is False


@given(st.binary(max_size=20), st.booleans(), st.booleans())
def test_bytes_may_come_in_either_alphabet_with_or_without_padding(
    data: bytes,
    url_safe: bool,
    padded: bool,
) -> None:
    encode = base64.urlsafe_b64encode if url_safe else base64.b64encode
    text = encode(data).decode()
    text = text if padded else text.rstrip("=")
    part = read_part(json.dumps({"inlineData": {"data": text}}))
    assert part.inline_data == Blob(data=data)


def test_bytes_may_be_broken_into_lines() -> None:
    text = base64.encodebytes(bytes(range(256))).decode()
    part = read_part(json.dumps({"inlineData": {"data": text}}))
    assert part.inline_data == Blob(data=bytes(range(256)))


def test_an_enum_may_come_as_its_proto_number() -> None:
    setting = {"category": 7, "threshold": 4.0}
    assert read(json.dumps({"safetySettings": [setting]})).safety_settings == [
        SafetySetting(
            category=HarmCategory.HARM_CATEGORY_HARASSMENT,
            threshold=HarmBlockThreshold.BLOCK_NONE,
        )
    ]


def test_an_unknown_name_is_told_with_its_place() -> None:
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


def test_all_faults_are_told_in_one_answer() -> None:
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
def test_a_wrong_value_is_told_in_googles_words(body: str, message: str) -> None:
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
def test_a_number_that_is_none_is_told(name: str, value: str, kind: str) -> None:
    message = refusal(f'{{"generationConfig": {{"{name}": {value}}}}}').message
    assert message == f"Invalid value at 'generation_config.{name}' ({kind}), {value}"


@pytest.mark.parametrize("value", ["9223372036854775808", '"x"', '"99999999999999999999"', "1.5"])
def test_a_64_bit_integer_that_is_none_is_told(value: str) -> None:
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
    for name in ("responseSchema", "response_schema"):
        body = f'{{"{name}": ' + "[" * (depth - 1) + "]" * (depth - 1) + "}"
        with pytest.raises(InvalidArgument) as caught:
            read_config(body)
        reason = f"Message too deep. Max recursion depth reached for key '{name}'\n"
        assert caught.value.message.startswith(f"Invalid JSON payload received. {reason}")


def test_an_unknown_field_of_count_tokens_is_refused() -> None:
    body = b'{"contents": [], "systemInstruction": {}}'
    with pytest.raises(InvalidArgument, match='Unknown name "systemInstruction"'):
        proto_json.read(CountTokensRequest, body)


@given(requests)
def test_the_other_spelling_of_everything_reads_equal(request: GenerateContentRequest) -> None:
    strict = proto_json.read(GenerateContentRequest, message.write(request))
    other = json.dumps(render_as_proto(request)).encode()

    assert proto_json.read(GenerateContentRequest, other) == strict
    assert strict == request


@given(requests, st.data())
def test_loose_json_reads_equal(request: GenerateContentRequest, data: st.DataObject) -> None:
    value = json.loads(message.write(request))
    text = render_loosely(value, lambda choices: data.draw(st.sampled_from(choices)))
    assert proto_json.read(GenerateContentRequest, text.encode()) == request


names = st.sampled_from([*GenerateContentRequest.__struct_fields__, "parts", "text", "x"])
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
            assert proto_json.read(message_type, message.write(read_back)) == read_back
