"""Interactive calls by Google's SDK to a model on another server's llama.cpp, also beside a batch.

The server holds answers to schemas and calls functions in its own way, as OpenAI's API has it.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google import genai
from google.genai import types

from support.clients import sdk_client
from support.engines.listening_llama_cpp import CONTEXT_TOKENS, KEY, LANES, listening_llama_cpp
from support.jobs import (
    check_every_request_has_one_outcome,
    create_job,
    executions,
    greedy_question,
    operation_of,
    results_of,
    text_of,
)
from support.model_tables import remote_model
from support.server import Server, started_server
from support.waiting import PATIENCE_SECONDS

pytestmark = [pytest.mark.model, pytest.mark.system]

MODEL = "gemini-2.5-flash"
REQUESTS = 6
LONG = "Count from one to one thousand."
PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 20},
        "age": {"type": "integer", "minimum": 0, "maximum": 150},
    },
    "required": ["name", "age"],
}
TOWNS = ("Paris", "Rome")
WEATHER = types.FunctionDeclaration(
    name="get_weather",
    description="Tells the weather.",
    parameters_json_schema={
        "type": "object",
        "properties": {"town": {"type": "string", "enum": list(TOWNS)}},
        "required": ["town"],
    },
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder: Path = tmp_path_factory.mktemp("remote")
    key_file = folder / "key"
    key_file.write_text(KEY)
    room = {"context_tokens": CONTEXT_TOKENS, "output_tokens_max": 60, "lanes": LANES}
    # No more at a time than the server answers at once, so that calls find no room.
    limits = {"requests_first": LANES, "requests_max": LANES}
    with listening_llama_cpp("tools") as llama:
        config = remote_model(llama.url, key_file, room, **limits)
        with started_server(
            folder,
            config=config,
            log_level="debug",
            # Nothing is kept for the calls of the next test.
            interactive_seen_seconds=0.01,
        ) as started:
            yield started


@pytest.fixture
def client(server: Server) -> Iterator[genai.Client]:
    with sdk_client(server.url) as client:
        yield client


def config(**values: Any) -> types.GenerateContentConfig:
    return types.GenerateContentConfig(temperature=0, seed=1, max_output_tokens=40, **values)


def test_an_answer_comes_whole_or_in_the_same_words_as_a_stream(client: genai.Client) -> None:
    asked = "What is the capital of France?"
    whole = client.models.generate_content(model=MODEL, contents=asked, config=config())
    chunks = list(
        client.models.generate_content_stream(model=MODEL, contents=asked, config=config())
    )
    assert whole.text
    assert len(chunks) > 2
    assert "".join(chunk.text or "" for chunk in chunks) == whole.text
    assert whole.usage_metadata
    assert chunks[-1].usage_metadata
    counted = client.models.count_tokens(model=MODEL, contents=asked)
    assert whole.usage_metadata.prompt_token_count == counted.total_tokens
    assert (
        chunks[-1].usage_metadata.candidates_token_count
        == whole.usage_metadata.candidates_token_count
    )


def test_the_server_holds_answers_to_a_schema(client: genai.Client) -> None:
    form = config(response_mime_type="application/json", response_json_schema=PERSON)
    asked = "Tell me of Ada, who is 36 years old."
    whole = client.models.generate_content(model=MODEL, contents=asked, config=form)
    chunks = client.models.generate_content_stream(model=MODEL, contents=asked, config=form)
    said = "".join(chunk.text or "" for chunk in chunks)
    for answer in (whole.text, said):
        person = json.loads(answer or "")
        assert set(person) == {"name", "age"}
        assert 0 <= person["age"] <= 150


def a_call_of(town: str) -> list[types.Content]:
    """Return a turn that asks for the weather, and how it was found out."""
    call = types.Part.from_function_call(name="get_weather", args={"town": town})
    result = types.Part.from_function_response(name="get_weather", response={"sky": "blue"})
    return [
        types.UserContent(f"Weather in {town}?"),
        types.ModelContent([call]),
        types.UserContent([result]),
    ]


def test_the_server_calls_functions(client: genai.Client) -> None:
    tools = types.GenerateContentConfig(
        temperature=0,
        max_output_tokens=60,
        tools=[types.Tool(function_declarations=[WEATHER])],
        tool_config=types.ToolConfig(
            function_calling_config=types.FunctionCallingConfig(
                mode=types.FunctionCallingConfigMode.ANY
            )
        ),
        automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
    )
    # So small a model calls only if it has seen how.
    seen = [turn for town in ("Paris", "Rome", "Paris") for turn in a_call_of(town)]
    contents = [*seen, types.UserContent("Weather in Rome?")]
    whole = client.models.generate_content(model=MODEL, contents=contents, config=tools)
    *_, last = client.models.generate_content_stream(model=MODEL, contents=contents, config=tools)
    for answer in (whole, last):
        (call,) = answer.function_calls or []
        assert call.name == "get_weather"
        assert call.args == {"town": "Rome"}
        assert call.id


def test_calls_take_the_places_of_a_batch_and_cost_it_no_line(
    server: Server, client: genai.Client
) -> None:
    lines = [greedy_question(index, LONG) for index in range(REQUESTS)]
    name = create_job(server, lines)
    job = name.removeprefix("batches/")
    server.wait_until(
        lambda: len(executions(server, name)) >= LANES, PATIENCE_SECONDS, "full places"
    )
    for number in range(3):
        chunks = client.models.generate_content_stream(
            model=MODEL, contents=f"Say hello, {number}.", config={"max_output_tokens": 4}
        )
        assert next(chunks).candidates
        assert not operation_of(server, name)["done"]
        assert all(chunk.candidates for chunk in chunks)
    preempted = server.events("request_preempted")
    assert {event["label"].partition("#")[0] for event in preempted} == {job}
    results = results_of(server, name)
    check_every_request_has_one_outcome(results, REQUESTS)
    assert all(text_of(result).strip() for result in results)
