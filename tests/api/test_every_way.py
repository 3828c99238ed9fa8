"""A request is answered alike on each of its ways: the table of cases, one row per feature."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2 as httpx
import msgspec
import pytest

from support.api.batch_calls import asking, text_of
from support.api.document_calls import attaching
from support.api.every_way import WAYS, Answer, called
from support.api.form_calls import ANSWERS, REFUSALS
from support.api.function_calls import OF_PING, OF_WEATHER, calling
from support.api.grounded_calls import SEARCHED, check_grounding
from support.api.local_server import LocalServer, echo_server, http_of
from support.tools.pages_under_test import fill_index
from toplu.errors import Code
from toplu.settings.server import DEFAULT_MODEL, Settings

INVALID, UNIMPLEMENTED, INTERNAL = Code.INVALID_ARGUMENT, Code.UNIMPLEMENTED, Code.INTERNAL


@dataclass(frozen=True, slots=True)
class Case:
    """A request, and the text of its answer, or the code and a part of its error."""

    name: str
    request: dict[str, Any]
    text: str | None = None  # None: whatever it is
    code: Code | None = None
    message: str = ""


def configured(text: str, **config: Any) -> dict[str, Any]:
    return asking(text) | {"generationConfig": config}


def refused(name: str, request: dict[str, Any], message: str, code: Code = INVALID) -> Case:
    return Case(name, request, code=code, message=message)


TURNS = [
    {"role": "user", "parts": [{"text": "first"}]},
    {"role": "model", "parts": [{"text": "a"}]},
    {"role": "model", "parts": [{"text": "b"}]},
    {"role": "user", "parts": [{"text": "second"}, {"text": "third"}]},
]
CASES = [
    Case("text", asking("hello, wörld 🌍"), "hello, wörld 🌍"),
    Case("a text of blanks and line ends", asking(" a\n\nb  "), " a\n\nb  "),
    Case("turns", {"contents": TURNS}, "second\nthird"),
    Case("system", asking("x") | {"system_instruction": {"parts": [{"text": "be brief"}]}}, "x"),
    Case("model", asking("x") | {"model": "models/gemini-2.5-flash"}, "x"),
    Case("token limit", configured("one two three", maxOutputTokens=2), "one two"),
    Case("candidates", configured("again and again", candidateCount=3), "again and again"),
    Case(
        "sampling",
        configured("x", temperature=0.5, topP=0.3, top_k=3, seed=7, stopSequences=["!"]),
        "x",
    ),
    Case("log-probabilities", configured("a b", responseLogprobs=True, logprobs=2), "a b"),
    Case("no thoughts", configured("x", thinkingConfig={"thinkingBudget": 0}), "x"),
    Case("safety", asking("x") | {"safetySettings": [{"threshold": "BLOCK_NONE"}]}, "x"),
    *(
        Case(f"form {n}", configured("x", **config), said)
        for n, (config, said) in enumerate(ANSWERS)
    ),
    Case("a function that is named", calling(f"{OF_WEATHER[0]} {OF_PING[0]}", "AUTO")),
    Case("a function that must be called", calling("x", "ANY")),
    Case("no function", calling(OF_WEATHER[0], "NONE"), OF_WEATHER[0]),
    Case("search", SEARCHED),
    Case("a document of text", attaching(b"a b", "text/plain")),
    Case("a document of HTML", attaching(b"<h1>Hi</h1><p>you", "text/html")),
    refused("nothing asked", {"contents": []}, "contents is not specified"),
    refused("an empty turn", {"contents": [{"parts": []}]}, "contents[0].parts"),
    refused("a role", {"contents": [{"role": "me", "parts": [{"text": "x"}]}]}, "valid role"),
    refused("out of range", configured("x", temperature=3), "temperature must be in the range"),
    refused("too long", asking("word " * 5000), "exceeds the maximum number of tokens"),
    *(
        refused(f"form refused {n}", configured("x", **config), f"generation_config.{place}: ")
        for n, (config, place) in enumerate(REFUSALS)
    ),
    refused("a document that is none", attaching(b"\xff", "text/plain"), "contents[0].parts[0]"),
    refused("sound", attaching(b"x", "audio/mp3"), "contents[0].parts[0]", UNIMPLEMENTED),
    refused("code", asking("x") | {"tools": [{"codeExecution": {}}]}, "tools[0].", UNIMPLEMENTED),
    refused("the engine fails", asking("please fail"), "fails on this request", INTERNAL),
]


@pytest.fixture(scope="module")
def http(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    folder = tmp_path_factory.mktemp("server")
    fill_index(folder / "data")
    with (
        echo_server(folder) as server,
        http_of(server) as http,
    ):
        yield http


@pytest.fixture(scope="module")
def answers(http: httpx.Client) -> dict[str, dict[str, Answer]]:
    """Return what each case was answered on each way; the cases of a way go together."""
    requests = [case.request for case in CASES]
    told = {way.__name__: way(http, requests) for way in WAYS}
    return {
        case.name: {way: answered[n] for way, answered in told.items()}
        for n, case in enumerate(CASES)
    }


def test_no_two_cases_have_one_name() -> None:
    assert len({case.name for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_request_is_answered_alike_on_each_of_its_ways(
    answers: dict[str, dict[str, Answer]], case: Case
) -> None:
    first, *others = answers[case.name].values()
    for other in others:
        assert other == first
    if case.code is not None:
        assert first["error"]["code"] == case.code
        assert case.message in first["error"]["message"]
    else:
        assert "error" not in first
        assert case.text is None or text_of(first) == case.text


def test_what_the_table_leaves_open_is_what_was_asked_for(
    answers: dict[str, dict[str, Answer]],
) -> None:
    check_grounding(answers["search"]["called"])
    parts = answers["a function that is named"]["called"]["candidates"][0]["content"]["parts"]
    assert [part["functionCall"]["name"] for part in parts] == [OF_WEATHER[0], OF_PING[0]]
    assert len(answers["candidates"]["called"]["candidates"]) == 3
    steps = answers["log-probabilities"]["called"]["candidates"][0]["logprobsResult"]
    assert len(steps["chosenCandidates"]) == 2
    assert "# Hi\n\nyou" in text_of(answers["a document of HTML"]["called"])


REAL_CASES = [
    configured("Name an animal.", seed=1),
    configured("Name three colours.", seed=2, temperature=1.0),
    configured("Tell me a story about a lighthouse.", seed=3, temperature=1.5, topP=1.0, topK=0),
    configured("Write a haiku.", seed=4, temperature=2.0),
    configured("Say something.", seed=-1, temperature=1.2),
    configured("What is rain?", seed=5, temperature=0.8, presencePenalty=1.0),
    configured("What is snow?", seed=6, temperature=0.8, frequencyPenalty=0.5),
    configured("Count to ten.", seed=7, temperature=0.9, stopSequences=["3"]),
    configured("Two names, please.", seed=8, temperature=1.3, candidateCount=2),
    configured("Greet me.", seed=9, temperature=1.0, responseLogprobs=True, logprobs=2),
    configured("Describe a person.", seed=10, temperature=1.0, **ANSWERS[1][0]),
    {"contents": TURNS, "generationConfig": {"seed": 11, "temperature": 1.1}},
]


@pytest.mark.model
@pytest.mark.system
def test_a_seed_decides_the_answer_whichever_way_the_request_comes(tmp_path: Path) -> None:
    model = msgspec.structs.replace(DEFAULT_MODEL, lanes=1, threads=1, output_tokens_max=16)
    with (
        LocalServer(Settings(data_dir=tmp_path / "data", models=(model,))) as server,
        http_of(server) as http,
    ):
        for request in REAL_CASES:
            # The first answer leaves the prompt, so that the others are computed alike.
            called(http, [request])
            (first,), *others = (way(http, [request]) for way in WAYS)
            assert "error" not in first
            for (other,) in others:
                assert other == first
