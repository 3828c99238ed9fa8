"""Calls that are answered at once: generateContent, countTokens and the models themselves."""

from typing import Any

import httpx2 as httpx
import pytest
from google import genai
from google.genai import errors, types

from support.api.batch_calls import asking, text_of
from support.api.local_server import LocalServer
from toplu.engines.translation.supported_fields import SERVED
from toplu.wire.gemini.content import GenerateContentRequest, GenerationConfig, Part
from toplu.wire.gemini.tool import GoogleSearch, Tool

FLASH = "gemini-2.5-flash"
GENERATE = f"/v1beta/models/{FLASH}:generateContent"
COUNT = f"/v1beta/models/{FLASH}:countTokens"


@pytest.fixture(scope="module")
def server(shared_server: LocalServer) -> LocalServer:
    return shared_server


def error_of(reply: httpx.Response, http_status: int, status: str) -> str:
    """Check the error and return its message."""
    assert reply.status_code == http_status, reply.text
    error = reply.json()["error"]
    assert (error["code"], error["status"]) == (http_status, status)
    return error["message"]


def test_the_sdk_gets_an_answer_with_its_usage(client: genai.Client) -> None:
    reply = client.models.generate_content(
        model=FLASH,
        contents=["ignored", types.Content(role="model", parts=[types.Part(text="said")]), "a b c"],
        config=types.GenerateContentConfig(system_instruction="be nice", temperature=0.0, seed=3),
    )
    assert reply.text == "a b c"
    assert reply.model_version == "echo"
    assert reply.response_id
    (candidate,) = reply.candidates
    assert (candidate.index, candidate.finish_reason) == (0, types.FinishReason.STOP)
    assert candidate.content.role == "model"
    usage = reply.usage_metadata
    # Two words of the system, one user, one model, three user.
    assert (usage.prompt_token_count, usage.candidates_token_count) == (7, 3)
    assert usage.total_token_count == 10


def test_an_answer_ends_at_its_token_limit(client: genai.Client) -> None:
    reply = client.models.generate_content(
        model=FLASH, contents="one two three", config={"max_output_tokens": 2}
    )
    assert reply.text == "one two"
    assert reply.candidates[0].finish_reason is types.FinishReason.MAX_TOKENS
    assert reply.usage_metadata.candidates_token_count == 2


def test_as_many_candidates_come_as_were_asked_for(client: genai.Client) -> None:
    reply = client.models.generate_content(
        model=FLASH, contents="one two", config={"candidate_count": 3}
    )
    assert [candidate.index for candidate in reply.candidates] == [0, 1, 2]
    assert {candidate.content.parts[0].text for candidate in reply.candidates} == {"one two"}
    assert reply.usage_metadata.candidates_token_count == 6


def test_safety_settings_are_accepted(client: genai.Client) -> None:
    setting = types.SafetySetting(
        category=types.HarmCategory.HARM_CATEGORY_HARASSMENT,
        threshold=types.HarmBlockThreshold.BLOCK_NONE,
    )
    config = types.GenerateContentConfig(safety_settings=[setting])
    reply = client.models.generate_content(model=FLASH, contents="hello", config=config)
    assert reply.text == "hello"


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ({"temperature": 3}, "temperature"),
        ({"temperature": -0.1}, "temperature"),
        ({"topP": 1.5}, "top_p"),
        ({"topK": -1}, "top_k"),
        ({"candidateCount": 0}, "candidate_count"),
        ({"candidateCount": 9}, "candidate_count"),
        ({"maxOutputTokens": 0}, "max_output_tokens"),
        ({"stopSequences": ["a"] * 6}, "stop_sequences"),
        ({"logprobs": 3}, "logprobs"),
        ({"logprobs": 21, "responseLogprobs": True}, "logprobs"),
        ({"logprobs": -1, "responseLogprobs": True}, "logprobs"),
        ({"thinkingConfig": {"thinkingBudget": -2}}, "thinking_config.thinking_budget"),
        ({"thinkingConfig": {"thinkingBudget": 1, "thinkingLevel": "LOW"}}, "thinking_config"),
    ],
)
def test_a_value_out_of_range_is_refused_by_name(
    http: httpx.Client, config: dict[str, Any], field: str
) -> None:
    reply = http.post(GENERATE, json=asking("x") | {"generationConfig": config})
    message = error_of(reply, 400, "INVALID_ARGUMENT")
    assert message.startswith(f"* GenerateContentRequest.generation_config.{field}: ")
    (violation,) = reply.json()["error"]["details"][0]["fieldViolations"]
    assert violation["field"] == f"generation_config.{field}"


@pytest.mark.parametrize(
    ("contents", "told"),
    [
        ([], "contents: contents is not specified"),
        ([{"role": "user"}], "contents[0].parts"),
        ([{"parts": [{}]}], "contents[0].parts[0].data"),
        ([{"role": "wizard", "parts": [{"text": "x"}]}], "valid role"),
    ],
)
def test_contents_that_ask_nothing_are_refused(
    http: httpx.Client, contents: list[Any], told: str
) -> None:
    message = error_of(http.post(GENERATE, json={"contents": contents}), 400, "INVALID_ARGUMENT")
    assert told in message


def test_the_error_of_the_engine_is_the_error_of_the_call(
    http: httpx.Client, client: genai.Client
) -> None:
    error_of(http.post(GENERATE, json=asking("please fail")), 500, "INTERNAL")
    too_long = error_of(http.post(GENERATE, json=asking("word " * 5000)), 400, "INVALID_ARGUMENT")
    assert "5000" in too_long
    with pytest.raises(errors.ServerError):
        client.models.generate_content(model=FLASH, contents="please fail")


def test_a_model_is_named_once_or_twice_alike(http: httpx.Client) -> None:
    for name in (f"models/{FLASH}", FLASH):
        assert http.post(GENERATE, json=asking("x") | {"model": name}).status_code == 200
    other = http.post(GENERATE, json=asking("x") | {"model": "models/gemini-2.5-pro"})
    assert "gemini-2.5-pro" in error_of(other, 400, "INVALID_ARGUMENT")
    unknown = error_of(http.post(GENERATE.replace(FLASH, "llama-9"), json={}), 404, "NOT_FOUND")
    assert unknown.startswith("models/llama-9 is not found for API version v1beta, or is not")
    assert "generateContent" in unknown


def test_tokens_are_counted(client: genai.Client, http: httpx.Client) -> None:
    assert client.models.count_tokens(model=FLASH, contents="one two three").total_tokens == 3
    whole = asking("one two") | {
        "model": f"models/{FLASH}",
        "systemInstruction": {"parts": [{"text": "be nice"}]},
    }
    reply = http.post(COUNT, json={"generateContentRequest": whole})
    assert reply.json() == {
        "totalTokens": 4,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 4}],
    }


@pytest.mark.parametrize(
    "body",
    [
        {},
        asking("x") | {"generateContentRequest": asking("x")},
        asking("x") | {"systemInstruction": {"parts": [{"text": "be nice"}]}},
        {"contents": []},
        {"generateContentRequest": {}},
        {"generateContentRequest": asking("x") | {"model": "models/gemini-2.5-pro"}},
    ],
)
def test_a_count_of_anything_but_one_prompt_is_refused(
    http: httpx.Client, body: dict[str, Any]
) -> None:
    error_of(http.post(COUNT, json=body), 400, "INVALID_ARGUMENT")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "models/imagen-4:predict"),
        ("POST", "models/veo-3:predictLongRunning"),
    ],
)
def test_a_method_that_is_not_served_says_so(http: httpx.Client, method: str, path: str) -> None:
    for version in ("v1", "v1beta"):
        reply = http.request(method, f"/{version}/{path}")
        assert path.partition("?")[0] in error_of(reply, 501, "UNIMPLEMENTED")


# A value for each field that is known and not served; what asks for nothing is served.
UNSERVED: dict[type, dict[str, Any]] = {
    GenerateContentRequest: {
        "continuationToken": "AAEC",
    },
    Tool: {
        "codeExecution": {},
        "urlContext": {},
        "fileSearch": {},
        "googleMaps": {},
        "computerUse": {},
        "mcpServers": [{}],
    },
    GoogleSearch: {
        "timeRangeFilter": {"startTime": "2026-01-01T00:00:00Z"},
        "searchTypes": {"webSearch": {}},
        "excludeDomains": ["example.com"],
        "blockingConfidence": "BLOCK_LOW_AND_ABOVE",
    },
    GenerationConfig: {
        "responseMimeType": "application/yaml",
        "responseFormat": {"text": {}},
        "responseModalities": ["IMAGE"],
        "speechConfig": {"languageCode": "en-US"},
        "imageConfig": {"aspectRatio": "1:1"},
        "audioTranscriptionConfig": {},
        "translationConfig": {},
        "enableEnhancedCivicAnswers": True,
        "enableAffectiveDialog": True,
    },
    Part: {
        "inlineData": {"mimeType": "image/png", "data": "AAH__g=="},
        "fileData": {"mimeType": "image/png", "fileUri": "files/x"},
        "executableCode": {"language": "PYTHON", "code": "1"},
        "codeExecutionResult": {"outcome": "OUTCOME_OK"},
        "toolCall": {},
        "toolResponse": {},
        "videoMetadata": {"fps": 1},
        "mediaProcessing": {},
        "audioTranscription": {},
        "audioMetadata": {},
        "speechMetadata": {},
        "documentMetadata": {"startPage": 1},
        "spreadsheetMetadata": {},
    },
}
WITHOUT_EFFECT = {"serviceTier": "flex", "store": True}
# A cache is found before a prompt is read.
BEFORE_THE_PROMPT = {"cachedContent"}


def request_with(kind: type, field: str, value: Any) -> tuple[dict[str, Any], str]:
    """Return a request that sets the field of the message, and the field's path in it."""
    request = asking("x")
    if kind is GenerateContentRequest:
        return request | {field: value}, field
    if kind is GenerationConfig:
        return request | {"generationConfig": {field: value}}, f"generationConfig.{field}"
    if kind is Tool:
        return request | {"tools": [{"googleSearch": {}}, {field: value}]}, f"tools[1].{field}"
    if kind is GoogleSearch:
        return request | {"tools": {"googleSearch": {field: value}}}, f"googleSearch.{field}"
    request["contents"][0]["parts"].append({field: value, "text": "x"})
    return request, f"contents[0].parts[1].{field}"


@pytest.mark.parametrize("kind", UNSERVED)
def test_every_field_that_is_not_served_is_refused_by_name(http: httpx.Client, kind: Any) -> None:
    known = dict(zip(kind.__struct_fields__, kind.__struct_encode_fields__, strict=True))
    unserved = {wire for name, wire in known.items() if name not in SERVED[kind]}
    harmless = (
        WITHOUT_EFFECT.keys() if kind in {GenerateContentRequest, GenerationConfig} else set()
    )
    assert unserved - harmless - BEFORE_THE_PROMPT == set(UNSERVED[kind])
    for field, value in UNSERVED[kind].items():
        request, path = request_with(kind, field, value)
        message = error_of(http.post(GENERATE, json=request), 501, "UNIMPLEMENTED")
        assert path in message


def test_fields_without_effect_are_accepted(http: httpx.Client) -> None:
    request = asking("x") | {
        "serviceTier": "flex",
        "tools": [{"functionDeclarations": []}],
        "store": True,
    }
    config = {"mediaResolution": "MEDIA_RESOLUTION_LOW", "responseMimeType": "text/plain"}
    config |= {"thinkingConfig": {"include_thoughts": True, "thinking_budget": 100}}
    reply = http.post(GENERATE, json=request | {"generationConfig": config})
    assert text_of(reply.json()) == "x"
