"""Functions on a real vLLM: with a parser of calls it makes them itself, without one as text."""

from typing import Any

import jsonschema
import pytest
from google.genai import types

from support.api.local_server import LocalServer, client_of

pytestmark = pytest.mark.vllm

MODEL = "gemini-2.5-flash"
ARGUMENTS: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"$ref": "#/$defs/of/city"}, "days": {"enum": [1, 2, 3]}},
    "required": ["city", "days"],
    "additionalProperties": False,
    "$defs": {"of": {"city": {"enum": ["Paris", "Rome"]}}},
}
WEATHER = {
    "name": "get_weather",
    "description": "Returns the weather of a city.",
    "parameters_json_schema": ARGUMENTS,
}


def ask(server: LocalServer, mode: str, contents: Any, output_tokens_max: int = 64) -> Any:
    config = types.GenerateContentConfig(
        temperature=0,
        max_output_tokens=output_tokens_max,
        tools=[types.Tool(function_declarations=[types.FunctionDeclaration(**WEATHER)])],
        tool_config=types.ToolConfig(
            function_calling_config=types.FunctionCallingConfig(
                mode=types.FunctionCallingConfigMode(mode)
            )
        ),
        automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
    )
    client = client_of(server)
    return client.models.generate_content(model=MODEL, contents=contents, config=config)


def test_a_call_that_has_to_be_made_is_made_and_validates(server: LocalServer) -> None:
    answer = ask(server, "ANY", "What is the weather in Paris for two days?", 512)
    candidate = answer.candidates[0]
    assert candidate.finish_reason == types.FinishReason.STOP, candidate
    assert answer.function_calls
    for call in answer.function_calls:
        assert call.name == "get_weather"
        jsonschema.validate(call.args, ARGUMENTS)


@pytest.mark.parametrize("mode", ["AUTO", "NONE"])
def test_text_is_an_answer_where_no_call_has_to_be_made(server: LocalServer, mode: str) -> None:
    answer = ask(server, mode, "Say hello to me.")
    assert answer.candidates[0].finish_reason in (
        types.FinishReason.STOP,
        types.FinishReason.MAX_TOKENS,
    )
    assert answer.text or answer.function_calls
    for call in answer.function_calls or []:
        assert mode == "AUTO"
        jsonschema.validate(call.args, ARGUMENTS)


def test_a_conversation_goes_on_behind_a_call_and_its_result(server: LocalServer) -> None:
    call = types.Part.from_function_call(name="get_weather", args={"city": "Paris", "days": 1})
    result = types.Part.from_function_response(name="get_weather", response={"sky": "blue"})
    contents = [
        types.Content(role="user", parts=[types.Part(text="How is the weather in Paris?")]),
        types.Content(role="model", parts=[call]),
        types.Content(role="user", parts=[result]),
    ]
    answer = ask(server, "AUTO", contents)
    assert answer.candidates[0].content.parts
