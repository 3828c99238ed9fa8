"""Servers that speak the Gemini API: what they give goes through whole, their faults do not."""

import asyncio
import json
from pathlib import Path

import pytest

from support.engines.misbehaving_gemini import (
    MODEL,
    MisbehavingGemini,
    error_info,
    failing,
    response,
    retry_info,
)
from support.engines.misbehaving_server import SECRET, Behaviour, refusing, right
from support.engines.pool_before_servers import world
from support.fleet.scripted_engine import a_request, captured_logs
from toplu.engines.translation.cached_prefix import CachedPrefix
from toplu.errors import (
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    TopluError,
    Unimplemented,
)
from toplu.fleet.work import Answer, CountPrefix, CountTokens
from toplu.wire.gemini import proto_json
from toplu.wire.gemini.content import Content, GenerateContentRequest, Part

WHOLE = {
    "contents": [
        {"role": "user", "parts": [{"inlineData": {"mimeType": "video/mp4", "data": "AAEC"}}]},
        {
            "role": "model",
            "parts": [
                {"thoughtSignature": "c2ln", "functionCall": {"name": "f", "args": {"a_b": 1}}},
                {"executableCode": {"language": "PYTHON", "code": "1"}},
            ],
        },
        {"role": "user", "parts": [{"fileData": {"fileUri": "https://youtu.be/x"}, "text": "q"}]},
    ],
    "systemInstruction": {"parts": [{"text": "Be brief."}]},
    "tools": [
        {"googleSearch": {}, "urlContext": {}},
        {"codeExecution": {}},
        {"functionDeclarations": [{"name": "f", "parameters": {"type": "OBJECT"}}]},
    ],
    "toolConfig": {"functionCallingConfig": {"mode": "ANY"}, "retrievalConfig": {"x": 1}},
    "safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}],
    "generationConfig": {
        "candidateCount": 3,
        "responseLogprobs": True,
        "responseModalities": ["IMAGE", "AUDIO"],
        "speechConfig": {"voice": "x"},
        "thinkingConfig": {"thinkingBudget": 5},
        "maxOutputTokens": 100000,
    },
    "labels": {"a": "b"},
}


async def test_a_request_arrives_as_it_came_and_so_does_its_response():
    server = MisbehavingGemini()
    async with world(server) as here:
        asked = proto_json.read_value(GenerateContentRequest, WHOLE | {"model": "models/m"})
        answer = (await here.pool.run(Answer(request=asked))).response
    assert server.bodies == [WHOLE]
    assert answer == response("re: q")
    assert server.queries == {""}


@pytest.mark.parametrize(
    ("status", "name", "outcome"),
    [
        (400, "INVALID_ARGUMENT", InvalidArgument),
        (400, "FAILED_PRECONDITION", FailedPrecondition),
        (400, "OUT_OF_RANGE", InvalidArgument),
        (501, "UNIMPLEMENTED", Unimplemented),
        # Of a file that the server's user may not read: a look finds the server fit.
        (403, "PERMISSION_DENIED", PermissionDenied),
        (404, "NOT_FOUND", NotFound),
    ],
)
async def test_the_requests_own_fault_is_returned_once_in_the_servers_words(
    status: int, name: str, outcome: type[TopluError]
):
    violations = {
        "@type": "type.googleapis.com/google.rpc.BadRequest",
        "fieldViolations": [{"field": "a", "description": "no such field"}],
    }
    fault = failing(status, name, "a is wrong", violations, error_info("OF_THE_ACCOUNT"))
    server = MisbehavingGemini(lambda text, _: fault if text == "bad" else right)
    async with world(server, failures_max=1) as here:
        with pytest.raises(outcome, match=r"^a is wrong$") as refusal:
            await here.ask("bad")
        assert refusal.value.details == (violations,)
        assert server.asked["bad"] == 1
        with pytest.raises(outcome, match=r"^a is wrong$"):
            await here.stream("bad")
        assert await here.ask("good") == "re: good"


@pytest.mark.parametrize(
    ("fault", "look_status"),
    [
        pytest.param(
            failing(400, "INVALID_ARGUMENT", f"bad {SECRET}", error_info("API_KEY_INVALID")),
            200,
            id="key",
        ),
        pytest.param(failing(401, "UNAUTHENTICATED", f"bad {SECRET}"), 200, id="unauthenticated"),
        pytest.param(failing(403, "PERMISSION_DENIED", f"bad {SECRET}"), 403, id="permission"),
        pytest.param(failing(404, "NOT_FOUND", f"bad {SECRET}"), 404, id="model"),
        pytest.param(refusing(404, f"bad {SECRET}"), 200, id="path"),
    ],
)
async def test_a_server_that_is_not_for_us_is_waited_for_and_nobody_learns_the_key(
    tmp_path: Path, fault: Behaviour, look_status: int
):
    key_file = tmp_path / "key"
    key_file.write_text(f"{SECRET}\n")
    is_wrong = True
    server = MisbehavingGemini(lambda *_: fault if is_wrong else right)
    with captured_logs() as logs:
        async with world(server, key_file=key_file) as here, asyncio.TaskGroup() as group:
            server_is_ready = await here.supervisor.ready()
            assert server_is_ready is not None
            server.look_status = look_status
            waiting = group.create_task(here.ask("good"))
            await server.arrived.wait()
            while not here.pool.reason:
                await asyncio.sleep(0.01)
            assert SECRET not in here.pool.reason
            assert str(server.port) not in here.pool.reason
            is_wrong, server.look_status = False, 200
            assert await waiting == "re: good"
            assert SECRET not in repr(here.model)
        assert SECRET not in repr(logs)
        assert any(entry["event"] == "server_breaker" for entry in logs)
    assert server.keys == {SECRET}
    assert server.queries == {""}


async def test_a_key_that_a_server_repeats_is_taken_out_of_its_details(tmp_path: Path):
    key_file = tmp_path / "key"
    key_file.write_text(SECRET)
    violations = {
        "@type": "type.googleapis.com/google.rpc.BadRequest",
        "fieldViolations": [{"field": "a", "description": f"not with {SECRET}"}],
    }
    server = MisbehavingGemini(lambda *_: failing(400, "INVALID_ARGUMENT", SECRET, violations))
    async with world(server, key_file=key_file) as here:
        with pytest.raises(InvalidArgument) as refusal:
            await here.ask("bad")
    assert SECRET not in json.dumps(refusal.value.details) + refusal.value.message
    assert refusal.value.details


@pytest.mark.parametrize(
    "fault",
    [
        failing(429, "RESOURCE_EXHAUSTED", "quota", {"@type": "other"}, retry_info("1s")),
        refusing(503, Retry_After="1"),
    ],
)
async def test_a_busy_server_is_left_alone_for_as_long_as_it_wishes(fault: Behaviour):
    moments: list[float] = []

    def script(_text: str, number: int) -> Behaviour:
        moments.append(asyncio.get_running_loop().time())
        return fault if number == 1 else right

    async with world(MisbehavingGemini(script)) as here:
        assert await here.ask("a") == "re: a"
    # As it said, and neither the pause of a breaker nor that of a look (10 seconds).
    assert 0.95 < moments[1] - moments[0] < 10


async def test_a_model_that_does_not_generate_is_reported_to_the_operator():
    server = MisbehavingGemini()
    server.described["supportedGenerationMethods"] = ["embedContent"]
    async with world(server) as here, asyncio.TaskGroup() as group:
        waiting = group.create_task(here.ask("a"))
        while "does not serve generateContent" not in here.pool.reason:
            await asyncio.sleep(0.01)
        del server.described["supportedGenerationMethods"]
        assert await waiting == "re: a"


async def test_tokens_are_counted_by_the_server():
    server = MisbehavingGemini()
    async with world(server) as here:
        count = await here.pool.run(CountTokens(request=a_request("a")))
    assert count == {"totalTokens": 7, "futureField": 1}
    contents = [{"parts": [{"text": "a"}]}]
    model = f"models/{MODEL}"
    assert server.counted == [{"generateContentRequest": {"model": model, "contents": contents}}]


async def test_a_cache_is_put_before_the_contents_and_counted_as_cached():
    server = MisbehavingGemini()
    system = Content(parts=[Part(text="Be brief.")])
    async with world(server) as here:
        alone = GenerateContentRequest(system_instruction=system)
        assert await here.pool.run(CountPrefix(request=alone)) == 7
        contents = [Content(role="user", parts=[Part(text="long")])]
        before = GenerateContentRequest(contents=contents, system_instruction=system)
        cached = CachedPrefix(id="c", request=before, model=here.model, tokens=2)
        asked = GenerateContentRequest(
            contents=[Content(parts=[Part(text="q")])], cached_content="cachedContents/c"
        )
        answer = (await here.pool.run(Answer(request=asked, cached=cached))).response
        count = await here.pool.run(CountTokens(request=asked, cached=cached))
    assert server.bodies == [
        {
            "contents": [
                {"role": "user", "parts": [{"text": "long"}]},
                {"parts": [{"text": "q"}]},
            ],
            "systemInstruction": {"parts": [{"text": "Be brief."}]},
        }
    ]
    assert isinstance(answer, dict)
    told = response("re: q")
    assert answer == told | {
        "usageMetadata": told["usageMetadata"] | {"cachedContentTokenCount": 2}
    }
    assert count == {"totalTokens": 7, "futureField": 1, "cachedContentTokenCount": 2}


async def test_a_text_that_cannot_be_sent_is_refused():
    async with world(MisbehavingGemini()) as here:
        with pytest.raises(InvalidArgument, match="half a surrogate pair"):
            await here.ask("\ud800")
