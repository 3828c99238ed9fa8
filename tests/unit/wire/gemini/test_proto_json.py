"""A message reads the same in every spelling that protobuf takes."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.wire.renderings import render_as_proto, render_loosely, requests
from toplu.wire.gemini import message, proto_json
from toplu.wire.gemini.batch import BatchGenerateContentRequest, GenerateContentBatch
from toplu.wire.gemini.content import (
    Blob,
    Content,
    GenerateContentRequest,
    GenerationConfig,
    HarmBlockThreshold,
    HarmCategory,
    Part,
    SafetySetting,
)
from toplu.wire.gemini.file import CreateFileRequest
from toplu.wire.gemini.schema import Schema, Type
from toplu.wire.gemini.thinking import ThinkingConfig
from toplu.wire.gemini.tool import FunctionCall, GoogleSearch, Tool
from toplu.wire.gemini.webhook import WebhookConfig


def read(body: str) -> GenerateContentRequest:
    return proto_json.read(GenerateContentRequest, body.encode())


def read_config(body: str) -> GenerationConfig:
    return proto_json.read(GenerationConfig, body.encode())


def read_part(body: str) -> Part:
    return proto_json.read(Part, body.encode())


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
    config = WebhookConfig(uris=["https://e.x/h"], user_metadata={"a": "b"})
    assert batch.webhook_config == config
    first, second = batch.input_config.requests.requests
    assert first.metadata == {"key": "request-1"}
    config = first.request.generation_config
    assert (config.top_k, config.temperature, config.seed) == (4, 0.7, 3)
    assert config.thinking_config == ThinkingConfig(include_thoughts=True, thinking_budget=0)
    assert config.response_schema.items.property_ordering == ["recipe_name"]
    assert first.request.tools == [Tool(google_search=GoogleSearch())]
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
    expected = GenerateContentRequest(
        contents=[Content(parts=[Part(text="x")])], tools=[Tool(google_search=GoogleSearch())]
    )
    assert (
        read('{"contents": {"parts": {"text": "x"}}, "tools": {"google_search": {}}}') == expected
    )
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
    read = read_part(json.dumps({"function_call": call})).function_call
    assert read == FunctionCall(name="f", args=args)
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


def test_a_schema_is_read_in_every_spelling() -> None:
    given = {
        "type": "object",
        "property_ordering": "full_name",
        "properties": {
            "full_name": {"type": "string", "min_length": 2, "any_of": {"type": 1}},
            "anyOf": {"nullable": "true", "maximum": "5", "maxItems": "3"},
            "none": None,
        },
    }
    schema = read_config(json.dumps({"response_schema": given})).response_schema
    assert schema == Schema(
        type=Type.OBJECT,
        property_ordering=["full_name"],
        properties={
            "full_name": Schema(
                type=Type.STRING, min_length="2", any_of=[Schema(type=Type.STRING)]
            ),
            "anyOf": Schema(nullable=True, maximum=5.0, max_items="3"),
            "none": Schema(),
        },
    )
    assert list(schema.properties) == ["full_name", "anyOf", "none"]
