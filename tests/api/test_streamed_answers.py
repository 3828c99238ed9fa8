"""streamGenerateContent: the chunks through the SDK and as they stand on the wire."""

import json
from typing import Any

import httpx2 as httpx
import pytest
from google import genai
from google.genai import errors, types

from support.api.batch_calls import asking, create_inline, finish, text_of
from support.api.local_server import LocalServer, client_of
from support.api.stream_calls import events_of, told

FLASH = "gemini-2.5-flash"
STREAM = f"/v1beta/models/{FLASH}:streamGenerateContent"
GENERATE = f"/v1beta/models/{FLASH}:generateContent"
TEXT = "one  two\nthree — dört {five} "


@pytest.fixture(scope="module")
def server(shared_server: LocalServer) -> LocalServer:
    return shared_server


def check_chunks(chunks: list[types.GenerateContentResponse]) -> None:
    """Check the answer to TEXT."""
    assert [chunk.text for chunk in chunks] == [
        "one  ",
        "two\n",
        "three ",
        "— ",
        "dört ",
        "{five} ",
        "",
    ]
    *earlier, last = chunks
    assert {chunk.response_id for chunk in earlier} == {last.response_id} != {None}
    assert {chunk.model_version for chunk in chunks} == {"echo"}
    assert {chunk.candidates[0].finish_reason for chunk in earlier} == {None}
    assert last.candidates[0].finish_reason is types.FinishReason.STOP
    assert {chunk.usage_metadata.prompt_token_count for chunk in chunks} == {6}
    assert last.usage_metadata.candidates_token_count == 6
    assert last.usage_metadata.total_token_count == 12


def test_the_sdk_gets_the_answer_in_chunks(client: genai.Client) -> None:
    check_chunks(list(client.models.generate_content_stream(model=FLASH, contents=TEXT)))


# The SDK's own fault, told once in a process by the client library that it builds on.
@pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning")
async def test_the_asynchronous_sdk_gets_the_answer_in_chunks(server: LocalServer) -> None:
    client = client_of(server).aio
    try:
        stream = await client.models.generate_content_stream(model=FLASH, contents=TEXT)
        check_chunks([chunk async for chunk in stream])
    finally:
        await client.aclose()


def test_a_chat_of_the_sdk_streams_each_turn(client: genai.Client) -> None:
    chat = client.chats.create(model=FLASH)
    for text in ("good morning", "and good night"):
        *_, last = chunks = list(chat.send_message_stream(text))
        assert "".join(chunk.text for chunk in chunks) == text
    # The SDK sends back what it heard, a turn for each chunk.
    assert last.usage_metadata.prompt_token_count == 7


def test_a_stream_an_answer_and_a_line_of_a_batch_say_the_same(http: httpx.Client) -> None:
    request = asking(TEXT) | {"generationConfig": {"maxOutputTokens": 4, "seed": 3}}
    streamed = events_of(http.post(f"{STREAM}?alt=sse", json=request).text)
    whole = http.post(GENERATE, json=request).json()
    done = finish(http, create_inline(http, [{"request": request}])["name"])
    (line,) = done["response"]["inlinedResponses"]["inlinedResponses"]
    assert told(streamed) == text_of(whole) == text_of(line["response"])
    for answer in (streamed[-1], line["response"]):
        assert answer["usageMetadata"] == whole["usageMetadata"]
        assert answer["candidates"][0]["finishReason"] == "MAX_TOKENS"


def test_events_are_one_line_each_and_nothing_ends_them(http: httpx.Client) -> None:
    reply = http.post(f"{STREAM}?alt=sse", json=asking(TEXT))
    assert reply.status_code == 200
    assert reply.headers["content-type"] == "text/event-stream"
    assert "content-encoding" not in reply.headers
    chunks = events_of(reply.text)
    assert told(chunks) == TEXT
    assert all("finishReason" not in chunk["candidates"][0] for chunk in chunks[:-1])


def test_without_events_the_stream_is_one_list(http: httpx.Client) -> None:
    reply = http.post(STREAM, json=asking("one two"), headers={"Accept-Encoding": "gzip"})
    assert reply.status_code == 200
    assert reply.headers["content-type"] == "application/json; charset=UTF-8"
    assert "content-encoding" not in reply.headers
    chunks = reply.json()
    assert told(chunks) == "one two"
    assert reply.text == "[" + ",\r\n".join(line for line in reply.text[1:-1].split(",\r\n")) + "]"
    assert [json.loads(element) for element in reply.text[1:-1].split(",\r\n")] == chunks


@pytest.mark.parametrize("text", ["", " \n"])
def test_an_answer_without_a_word_is_one_chunk(http: httpx.Client, text: str) -> None:
    (chunk,) = http.post(STREAM, json=asking(text)).json()
    assert text_of(chunk) == text
    assert chunk["candidates"][0]["finishReason"] == "STOP"


def test_candidates_stream_one_after_another(http: httpx.Client) -> None:
    request = asking("one two") | {"generationConfig": {"candidateCount": 2}}
    *pieces, last = http.post(STREAM, json=request).json()
    found = [(each["index"], text_of(chunk)) for chunk in pieces for each in chunk["candidates"]]
    assert found == [(0, "one "), (0, "two"), (1, "one "), (1, "two")]
    assert [each["finishReason"] for each in last["candidates"]] == ["STOP", "STOP"]
    assert [each["index"] for each in last["candidates"]] == [0, 1]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        (STREAM, asking("please fail"), 500),
        (STREAM, {}, 400),
        (STREAM, {"contents": 1}, 400),
        (STREAM, asking("x") | {"tools": [{"codeExecution": {}}]}, 501),
        (STREAM, asking("x") | {"model": "models/other"}, 400),
        (STREAM.replace(FLASH, "llama-9"), asking("x"), 404),
        (f"{STREAM}?wrong=1", asking("x"), 400),
    ],
)
def test_what_fails_before_the_first_chunk_is_a_failed_call(
    http: httpx.Client, path: str, body: dict[str, Any], status: int
) -> None:
    listed = http.post(path, json=body)
    separator = "&" if "?" in path else "?"
    plain = http.post(f"{path}{separator}alt=sse", json=body)
    assert listed.status_code == plain.status_code == status
    assert listed.json() == [plain.json()]
    assert plain.json()["error"]["code"] == status
    assert plain.headers["content-type"] == "application/json; charset=UTF-8"


def test_a_call_without_a_key_is_refused_in_the_form_of_the_stream(keyless: httpx.Client) -> None:
    assert keyless.post(STREAM, json=asking("x")).json()[0]["error"]["code"] == 403
    assert keyless.post(f"{STREAM}?alt=sse", json=asking("x")).json()["error"]["code"] == 403


def test_the_sdk_raises_what_fails_before_the_first_chunk(client: genai.Client) -> None:
    with pytest.raises(errors.ServerError, match="fails on this request") as raised:
        list(client.models.generate_content_stream(model=FLASH, contents="please fail"))
    assert raised.value.code == 500
