"""Rows as lines of a batch."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from support.image_files import image_of
from toplu.errors import ConfigurationError
from toplu.job import Method, Wire
from toplu.oneshot.options import RunOptions
from toplu.oneshot.rows.questions import (
    EmbeddingQuestions,
    LineQuestions,
    TableQuestions,
    wire_of,
)
from toplu.oneshot.rows.schema_fields import AnswerSchema
from toplu.tables.files import open_table

PICTURE = image_of()


def table_of(tmp_path: Path, content: str, name: str = "in.csv") -> Path:
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    return path


def questions_of(path: Path, schema: AnswerSchema | None = None, **options: Any) -> TableQuestions:
    told = RunOptions(source=path, output=path.with_name("out.csv"), **options)
    return TableQuestions(told, open_table(path), schema)


def requests_of(lines: Any) -> list[dict[str, Any]]:
    return [json.loads(line)["request"] for line in lines]


def test_each_row_asks_its_prompt_and_all_share_the_rest(tmp_path: Path) -> None:
    path = table_of(tmp_path, 'title,text\nOne,"a\nb"\nTwo,\n')
    schema = AnswerSchema({"type": "object", "properties": {"n": {"type": "integer"}}})
    options: dict[str, Any] = {
        "system": "Be brief.",
        "temperature": 0.0,
        "seed": 7,
        "max_tokens": 9,
    }
    questions = questions_of(path, schema, prompt="{title}: {text}", **options)
    first, second = requests_of(questions.lines())
    assert first.pop("contents") == [{"role": "user", "parts": [{"text": "One: a\nb"}]}]
    assert second.pop("contents") == [{"role": "user", "parts": [{"text": "Two: "}]}]
    assert (
        first
        == second
        == {
            "systemInstruction": {"parts": [{"text": "Be brief."}]},
            "generationConfig": {
                "temperature": 0.0,
                "seed": 7,
                "maxOutputTokens": 9,
                "responseMimeType": "application/json",
                "responseJsonSchema": schema.schema,
            },
        }
    )


def test_a_row_that_asks_nothing_has_no_line_and_stays_a_row(tmp_path: Path) -> None:
    path = table_of(tmp_path, "one\n\n  \ntwo\n", "in.txt")
    questions = questions_of(path)
    assert [it["contents"][0]["parts"] for it in requests_of(questions.lines())] == [
        [{"text": "one"}],
        [{"text": "two"}],
    ]
    rows = list(questions.rows())
    assert [row for row, _ in rows] == [["one"], [""], ["  "], ["two"]]
    assert [reason is None for _, reason in rows] == [True, False, False, True]


def test_a_column_named_prompt_is_asked_if_nothing_else_is_said(tmp_path: Path) -> None:
    path = table_of(tmp_path, "id,prompt\n1,Why?\n")
    (request,) = requests_of(questions_of(path).lines())
    assert request["contents"][0]["parts"] == [{"text": "Why?"}]
    with pytest.raises(ConfigurationError, match=re.escape("--prompt 'Summarize: {id}'")):
        questions_of(table_of(tmp_path, "id,text\n1,x\n", "other.csv"))


def test_only_the_first_rows_are_asked(tmp_path: Path) -> None:
    path = table_of(tmp_path, "prompt\na\nb\nc\n")
    questions = questions_of(path, limit=2)
    assert len(list(questions.lines())) == len(list(questions.rows())) == 2


def test_an_image_goes_before_the_words(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "a.png").write_bytes(PICTURE)
    path = table_of(tmp_path, "file\npictures/a.png\n\n")
    (request,) = requests_of(questions_of(path, prompt="What is it?", image="file").lines())
    image, text = request["contents"][0]["parts"]
    assert image["inlineData"]["mimeType"] == "image/png"
    assert text == {"text": "What is it?"}


def test_a_wrong_image_is_refused_with_its_row(tmp_path: Path) -> None:
    (tmp_path / "table").mkdir()
    (tmp_path / "outside.png").write_bytes(PICTURE)
    (tmp_path / "table" / "words.png").write_text("no image")
    for named, told in (
        ("../outside.png", "is not below"),
        (str(tmp_path / "outside.png"), "is not below"),
        ("none.png", "cannot be read: No such file"),
        ("words.png", "is no image of a known kind"),
    ):
        path = table_of(tmp_path / "table", f"id,file\n0,{named}\n")
        questions = questions_of(path, prompt="What?", image="file")
        with pytest.raises(ConfigurationError, match=re.escape(f"in.csv: row 1: `{named}` {told}")):
            list(questions.lines())


def test_vectors_are_asked_of_one_column(tmp_path: Path) -> None:
    table = open_table(table_of(tmp_path, "id,text\n1,one\n2,\n"))
    questions = EmbeddingQuestions(table, "text", None)
    assert requests_of(questions.lines()) == [{"content": {"parts": [{"text": "one"}]}}]
    assert [reason is None for _, reason in questions.rows()] == [True, False]
    with pytest.raises(ConfigurationError, match="no column `texts`; the columns are `id`, `text`"):
        EmbeddingQuestions(table, "texts", None)


@pytest.mark.parametrize(
    ("line", "method"),
    [
        ({"key": "a", "request": {"contents": [{"parts": [{"text": "x"}]}]}}, Method.GENERATE),
        ({"contents": [{"parts": [{"text": "x"}]}]}, Method.GENERATE),
        ({"request": {"content": {"parts": [{"text": "x"}]}}}, Method.EMBED),
        ({"content": {"parts": [{"text": "x"}]}}, Method.EMBED),
    ],
)
def test_lines_that_are_requests_go_as_they_are(
    tmp_path: Path, line: dict[str, Any], method: Method
) -> None:
    path = table_of(tmp_path, f"\n{json.dumps(line)}\r\n", "in.jsonl")
    assert wire_of(path) is Wire.GEMINI
    questions = LineQuestions(path, None)
    assert questions.method is method
    assert [json.loads(it) for it in questions.lines()] == [line]
    assert list(questions.rows()) == [((line.get("key"), None), None)]


@pytest.mark.parametrize(
    "line", ['{"title": "x"}', '{"content": "x"}', '{"model": "m"}', "{}", "no JSON", "[]"]
)
def test_objects_that_are_no_requests_are_rows(tmp_path: Path, line: str) -> None:
    assert wire_of(table_of(tmp_path, line, "in.jsonl")) is None


def test_a_line_that_is_no_request_is_refused_with_its_number(tmp_path: Path) -> None:
    good = '{"request": {"contents": [{"parts": [{"text": "x"}]}]}}'
    path = table_of(tmp_path, f'{good}\n{{"request": {{"contens": []}}}}\n', "in.jsonl")
    with pytest.raises(ConfigurationError, match=r"Error on line 2: .*contens"):
        list(LineQuestions(path, None).lines())
