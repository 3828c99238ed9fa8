"""Functions that the official SDKs call by themselves, with the real model.

The specification promises what the interactive API has, and shows no example of functions. The
model is small: that it calls at all is shown to it by one turn of the conversation before.
"""

import json
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
from google.genai import types

from support import jobs
from support.clients import sdk_client
from support.engines.function_cases import CASES, FunctionCase
from support.model_tables import quick_model
from support.server import Server, started_server
from support.specification.examples import API_KEY, Examples, given
from support.waiting import PATIENCE_SECONDS

pytestmark = pytest.mark.model

FLASH = "gemini-2.5-flash"
ANSWER_TOKENS = 96
ROUNDS = 9  # of every function, by `make test-system`
QUESTION = "What is the weather in Paris?"
HISTORY: list[dict[str, Any]] = [
    {"role": "user", "parts": [{"text": "What is the weather in Oslo?"}]},
    {
        "role": "model",
        "parts": [{"functionCall": {"name": "get_weather", "args": {"city": "Oslo"}}}],
    },
    {
        "role": "user",
        "parts": [
            {
                "functionResponse": {
                    "name": "get_weather",
                    "response": {"result": "cold and 3 degrees"},
                }
            }
        ],
    },
    {"role": "model", "parts": [{"text": "The weather in Oslo is cold and 3 degrees."}]},
]
JAVASCRIPT = """
import {GoogleGenAI} from '@google/genai';
const ai = new GoogleGenAI({apiKey: process.env.GEMINI_API_KEY});
const weather = {
  tool: async () => ({functionDeclarations: [{
    name: 'get_weather',
    description: 'Returns the current weather of a city.',
    parametersJsonSchema: {
      type: 'object', properties: {city: {type: 'string'}}, required: ['city']},
  }]}),
  callTool: async (calls) => calls.map((call) => {
    console.log(JSON.stringify(call));
    return {functionResponse: {
      id: call.id, name: call.name, response: {result: 'mild and 17 degrees'}}};
  }),
};
const reply = await ai.models.generateContent({
  model: 'gemini-2.5-flash',
  contents: [...HISTORY, {role: 'user', parts: [{text: QUESTION}]}],
  config: {temperature: 0, seed: 1, tools: [weather]},
});
console.log(JSON.stringify(reply.text));
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("functions")
    with started_server(folder, config=quick_model(ANSWER_TOKENS)) as server:
        yield server


@pytest.mark.parametrize("streamed", [False, True])
def test_python_calls_the_function_and_the_model_reads_what_it_gave(
    server: Server, streamed: bool
) -> None:
    cities: list[str] = []

    def get_weather(city: str) -> str:
        """Returns the current weather of a city."""
        cities.append(city)
        return "mild and 17 degrees"

    config = types.GenerateContentConfig(tools=[get_weather], temperature=0, seed=1)
    with sdk_client(server.url, API_KEY) as client:
        history = [types.Content.model_validate(content) for content in HISTORY]
        chat = client.chats.create(model=FLASH, config=config, history=history)
        if streamed:
            chunks = list(chat.send_message_stream(QUESTION))
            text = "".join(chunk.text or "" for chunk in chunks)
        else:
            text = chat.send_message(QUESTION).text or ""
    assert cities == ["Paris"]
    assert "17 degrees" in text


def test_javascript_calls_the_function_and_the_model_reads_what_it_gave(
    server: Server, tmp_path_factory: pytest.TempPathFactory
) -> None:
    examples = Examples(
        language="javascript", server=server, workplace=tmp_path_factory.mktemp("javascript")
    )
    told = f"const QUESTION = {json.dumps(QUESTION)};\nconst HISTORY = {json.dumps(HISTORY)};"
    finished = examples.run(given(told), given(JAVASCRIPT))
    call, text = map(json.loads, finished.stdout.splitlines())
    assert (call["name"], call["args"]) == ("get_weather", {"city": "Paris"})
    assert call["id"]
    assert "17 degrees" in text


def request_of(case: FunctionCase, seed: int) -> dict[str, Any]:
    others = [CASES[seed % len(CASES)]] if CASES[seed % len(CASES)] != case else []
    declarations = [each.declaration for each in [*others, case]]
    config = {"mode": "ANY", "allowedFunctionNames": [case.name]}
    return {
        "contents": [{"role": "user", "parts": [{"text": f"{case.question} ({seed})"}]}],
        "tools": [{"functionDeclarations": declarations}],
        "toolConfig": {"functionCallingConfig": config},
        "generationConfig": {"temperature": 0.9, "seed": seed},
    }


def check(case: FunctionCase, response: dict[str, Any]) -> int:
    """Return how many calls the answer has, all of them valid; it must end well or be cut off."""
    (candidate,) = response["candidates"]
    parts = candidate["content"]["parts"]
    calls = [part["functionCall"] for part in parts if "functionCall" in part]
    for call in calls:
        assert call["name"] == case.name
        jsonschema.Draft202012Validator(case.json_schema).validate(call["args"])
    if candidate["finishReason"] == "MAX_TOKENS":
        assert response["usageMetadata"]["candidatesTokenCount"] == ANSWER_TOKENS
        assert calls or parts == [{"text": ""}]
    else:
        assert candidate["finishReason"] == "STOP"
        assert len(calls) == len(parts) >= 1
    return len(calls)


@pytest.mark.system
def test_where_a_call_has_to_be_made_every_answer_is_a_valid_one(server: Server) -> None:
    asked = [(case, seed) for seed in range(ROUNDS) for case in CASES]
    assert len(asked) == 6 * ROUNDS
    lines = [
        {"key": f"request-{index}", "request": request_of(case, seed)}
        for index, (case, seed) in enumerate(asked)
    ]
    name = jobs.create_job(server, lines)
    jobs.finished_job(server, name, seconds=PATIENCE_SECONDS)
    results = jobs.results_of(server, name)
    jobs.check_every_request_has_one_outcome(results, len(asked))
    calls = dict.fromkeys((case.name for case in CASES), 0)
    for (case, _), result in zip(asked, results, strict=True):
        calls[case.name] += check(case, result["response"])
    print(calls)
    # One that is cut off within its first call has none; most have one, some have more.
    assert sum(calls.values()) >= 0.92 * len(asked), calls
    assert all(calls.values()), calls
