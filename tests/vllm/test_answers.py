"""Text, streams, token counts and forms of answers, on a real vLLM."""

import json
from typing import Any

import jsonschema
import pytest
from google import genai
from google.genai import errors, types

from support.api.local_server import LocalServer, client_of

pytestmark = pytest.mark.vllm

MODEL = "gemini-2.5-flash"
QUESTION = "What is the capital of France?"
COLOUR = {"type": "string", "enum": ["red", "green"]}
REFERRING = {
    "type": "object",
    "properties": {"colour": {"$ref": "#/$defs/a~1b"}, "other": {"$ref": "#/$defs/plain"}},
    "required": ["colour", "other"],
    "additionalProperties": False,
    "$defs": {"a/b": COLOUR, "plain": COLOUR},
}
# Each is refused by a backend of vLLM, or breaks down in it and leaves the answer empty.
REFUSED = [
    pytest.param(
        {"type": "array", "items": COLOUR, "uniqueItems": True, "maxItems": 1}, id="unique"
    ),
    pytest.param(COLOUR | {"format": "of-nobody"}, id="format"),
    pytest.param(COLOUR | {"pattern": "^(?!blue)"}, id="look-ahead"),
    pytest.param(COLOUR | {"not": {"const": "blue"}}, id="not"),
    pytest.param(
        {
            "type": "object",
            "properties": {"a": COLOUR},
            "patternProperties": {"^b": {"type": "integer"}},
            "required": ["a"],
            "maxProperties": 1,
            "additionalProperties": False,
        },
        id="pattern properties",
    ),
    pytest.param({"type": "integer", "multipleOf": 1, "minimum": 1, "maximum": 3}, id="multiple"),
]


@pytest.fixture
def client(server: LocalServer) -> genai.Client:
    return client_of(server)


def config_of(**values: Any) -> types.GenerateContentConfig:
    return types.GenerateContentConfig(temperature=0, max_output_tokens=32, **values)


def form_of(schema: Any, **values: Any) -> types.GenerateContentConfig:
    mime_type = "application/json"
    return config_of(response_mime_type=mime_type, response_json_schema=schema, **values)


def test_an_answer_streams_in_the_words_that_it_has_whole(client: genai.Client) -> None:
    asked = {"model": MODEL, "contents": QUESTION, "config": config_of()}
    whole = client.models.generate_content(**asked)
    chunks = list(client.models.generate_content_stream(**asked))
    assert whole.text
    assert len(chunks) > 3
    assert "".join(chunk.text or "" for chunk in chunks) == whole.text
    assert chunks[-1].usage_metadata == whole.usage_metadata


def test_tokens_are_counted_as_they_are_paid(client: genai.Client) -> None:
    counted = client.models.count_tokens(model=MODEL, contents=QUESTION).total_tokens
    usage = client.models.generate_content(
        model=MODEL, contents=QUESTION, config=config_of()
    ).usage_metadata
    assert usage is not None
    assert counted == usage.prompt_token_count


def test_a_prompt_that_is_too_long_is_refused_as_the_hosted_service_does(
    client: genai.Client,
) -> None:
    with pytest.raises(errors.ClientError, match="exceeds the maximum number of tokens allowed"):
        client.models.generate_content(model=MODEL, contents="word " * 4000, config=config_of())


@pytest.mark.parametrize("schema", [REFERRING, *REFUSED])
def test_a_schema_is_served_whatever_vllm_thinks_of_it(client: genai.Client, schema: Any) -> None:
    answer = client.models.generate_content(
        model=MODEL, contents="Fill in the form.", config=form_of(schema)
    )
    assert answer.candidates is not None
    assert answer.candidates[0].finish_reason == types.FinishReason.STOP
    jsonschema.Draft202012Validator(schema).validate(json.loads(answer.text or ""))


def test_one_of_an_enum_comes_bare_and_streams(client: genai.Client) -> None:
    config = config_of(response_mime_type="text/x.enum", response_schema=COLOUR)
    asked = {"model": MODEL, "contents": "Name a colour.", "config": config}
    assert client.models.generate_content(**asked).text in COLOUR["enum"]
    chunks = list(client.models.generate_content_stream(**asked))
    assert "".join(chunk.text or "" for chunk in chunks) in COLOUR["enum"]


def test_a_streamed_form_stops_only_if_it_validates(client: genai.Client) -> None:
    chunks = list(
        client.models.generate_content_stream(
            model=MODEL, contents="Fill in the form.", config=form_of(REFERRING)
        )
    )
    assert chunks[-1].candidates is not None
    assert chunks[-1].candidates[0].finish_reason == types.FinishReason.STOP
    jsonschema.validate(json.loads("".join(chunk.text or "" for chunk in chunks)), REFERRING)
