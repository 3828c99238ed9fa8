"""Lines of OpenAI's Batch API."""

import io
import json
from pathlib import Path
from typing import Any

import pytest

from toplu.errors import Code, ConfigurationError, RequestError
from toplu.job import Method
from toplu.oneshot.rows.openai_lines import OpenaiOutput, OpenaiQuestions
from toplu.wire.gemini import jsonl

MISSING = RequestError(Code.CANCELLED, "not reached")
CHAT, EMBEDDINGS = "/v1/chat/completions", "/v1/embeddings"


def line(custom_id: str, url: str = CHAT, **body: Any) -> dict[str, Any]:
    asked = {"messages": [{"role": "user", "content": "Why?"}]} if url == CHAT else {}
    body = {"model": "m", **asked, **body}
    return {"custom_id": custom_id, "method": "POST", "url": url, "body": body}


def questions_of(tmp_path: Path, *lines: Any, one_text: bool = False) -> OpenaiQuestions:
    path = tmp_path / "in.jsonl"
    path.write_text("\n".join(json.dumps(each) for each in lines))
    return OpenaiQuestions(path, None, one_text=one_text)


def result(number: int, outcome: Any) -> bytes:
    return jsonl.with_number(jsonl.write_result(None, None, outcome), number)


def answer(text: str) -> dict[str, Any]:
    candidate = {"content": {"parts": [{"text": text}], "role": "model"}, "finishReason": "STOP"}
    usage = {"promptTokenCount": 3, "candidatesTokenCount": 2, "totalTokenCount": 5}
    return {"candidates": [{**candidate, "index": 0}], "usageMetadata": usage}


def vector(*values: float) -> dict[str, Any]:
    usage = {"promptTokenCount": 1}
    return {"embedding": {"values": list(values)}, "usageMetadata": usage}


def test_chat_is_asked_in_the_cores_words_and_answered_in_openais(tmp_path: Path) -> None:
    questions = questions_of(tmp_path, line("a", temperature=0, seed=3), line("b"), line("c"))
    assert (questions.method, questions.model) == (Method.GENERATE, "m")
    asked = [json.loads(it) for it in questions.lines()]
    assert [it["key"] for it in asked] == ["a", "b", "c"]
    assert asked[0]["request"]["contents"][0]["parts"] == [{"text": "Why?"}]
    assert asked[0]["request"]["generationConfig"]["seed"] == 3
    file = io.BytesIO()
    output = OpenaiOutput(file, questions, missing=MISSING)
    output.add([result(1, answer("So.")), result(2, RequestError(Code.INVALID_ARGUMENT, "bad"))])
    output.finish()
    first, second, third = (json.loads(it) for it in file.getvalue().splitlines())
    assert first["custom_id"] == "a"
    assert first["response"]["status_code"] == 200
    assert first["response"]["body"]["choices"][0]["message"]["content"] == "So."
    assert first["response"]["body"]["usage"]["total_tokens"] == 5
    assert second["response"]["status_code"] == 400
    assert second["response"]["body"]["error"]["message"] == "bad"
    assert third["response"]["body"]["error"]["message"] == "not reached"
    assert (output.tally.rows, output.tally.failed) == (3, 2)


def test_several_texts_of_a_line_are_one_answer(tmp_path: Path) -> None:
    lines = [line("a", EMBEDDINGS, input=["x", "y"]), line("b", EMBEDDINGS, input="z")]
    questions = questions_of(tmp_path, *lines)
    assert questions.method is Method.EMBED
    assert [json.loads(it)["key"] for it in questions.lines()] == ["a", "a", "b"]
    file = io.BytesIO()
    output = OpenaiOutput(file, questions, missing=MISSING)
    output.add([result(1, vector(1.0)), result(2, vector(2.0)), result(3, vector(3.0))])
    output.finish()
    first, second = (json.loads(it)["response"]["body"] for it in file.getvalue().splitlines())
    assert [it["embedding"] for it in first["data"]] == [[1.0], [2.0]]
    assert [it["embedding"] for it in second["data"]] == [[3.0]]
    with pytest.raises(ConfigurationError, match="line 1: has several texts"):
        list(questions_of(tmp_path, *lines, one_text=True).lines())


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        (line("b", EMBEDDINGS, input="x"), "line 2: asks /v1/embeddings"),
        (line("b", model="other"), "line 2: asks for other, and a line before for m"),
        (line("b", url="/v1/none"), "line 2: /v1/none is not served"),
        (line("b", messages=7), "line 2: .*messages"),
        (line("a"), "line 2: has the custom_id of a line before"),
        ({"custom_id": "b"}, "line 2: .*method"),
        ([], "line 2: "),
    ],
)
def test_a_wrong_line_is_refused_with_its_number(tmp_path: Path, bad: Any, told: str) -> None:
    questions = questions_of(tmp_path, line("a"), bad)
    with pytest.raises(ConfigurationError, match=told):
        list(questions.lines())
