"""The output: every row, in the input's order, whatever results there are."""

import io
import json
from pathlib import Path
from typing import Any

import pytest

from toplu.errors import Code, ConfigurationError, RequestError
from toplu.oneshot.options import RunOptions
from toplu.oneshot.rows.answers import TextAnswers
from toplu.oneshot.rows.outputs import LineOutput, RowOutput, Tally, columns_of
from toplu.oneshot.rows.questions import LineQuestions, TableQuestions
from toplu.tables.files import open_table
from toplu.wire.gemini import jsonl

MISSING = RequestError(Code.CANCELLED, "not reached")


def answered(number: int, text: str) -> bytes:
    candidate = {"content": {"parts": [{"text": text}]}, "finishReason": "STOP"}
    return json.dumps({"line": number, "response": {"candidates": [candidate]}}).encode()


def rows_of(tmp_path: Path, content: str, results: list[list[bytes]]) -> tuple[list[Any], Tally]:
    path = tmp_path / "in.txt"
    path.write_text(content)
    output = tmp_path / "out.jsonl"
    questions = TableQuestions(RunOptions(source=path, output=output), open_table(path), None)
    file = io.BytesIO()
    rows = RowOutput(output, file, questions, TextAnswers(), prefix="", missing=MISSING)
    for lines in results:
        rows.add(lines)
    rows.finish()
    found = [json.loads(line) for line in file.getvalue().splitlines()]
    return [(row["text"], row["answer"], row["error"]) for row in found], rows.tally


def test_results_stand_beside_the_rows_that_asked(tmp_path: Path) -> None:
    results = [[answered(1, "A")], [answered(2, "C"), answered(3, "D")]]
    found, tally = rows_of(tmp_path, "a\n\nc\nd\n\n", results)
    blank = ("", None, "INVALID_ARGUMENT: nothing to ask: the cells that are asked are empty")
    assert found == [("a", "A", None), blank, ("c", "C", None), ("d", "D", None), blank]
    assert tally == Tally(rows=5, failed=2)


def test_a_row_without_a_result_says_why(tmp_path: Path) -> None:
    found, tally = rows_of(tmp_path, "a\n\nb\nc\nd\n", [[answered(3, "C")]])
    assert [(answer, error) for _, answer, error in found if error is None] == [("C", None)]
    assert [error for _, _, error in found].count("CANCELLED: not reached") == 3
    assert [text for text, _, _ in found] == ["a", "", "b", "c", "d"]
    assert tally == Tally(rows=5, failed=4)


def test_a_batch_without_results_has_all_rows(tmp_path: Path) -> None:
    assert rows_of(tmp_path, "a\nb\n", [])[1] == Tally(rows=2, failed=2)
    assert rows_of(tmp_path, "", [])[1] == Tally(rows=0, failed=0)


def test_lines_have_results_as_the_api_writes_them(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    request = {"contents": [{"parts": [{"text": "x"}]}]}
    path.write_text(
        "".join(
            json.dumps({"key": f"k{number}", "metadata": {"n": "1"}, "request": request}) + "\n"
            for number in range(4)
        )
    )
    file = io.BytesIO()
    output = LineOutput(file, LineQuestions(path, None), missing=MISSING)
    result = jsonl.write_result("k1", {"n": "1"}, {"candidates": []})
    output.add([jsonl.with_number(result, 2)])
    output.finish()
    lines = file.getvalue().splitlines()
    assert lines[1] == result
    assert [json.loads(line)["key"] for line in lines] == ["k0", "k1", "k2", "k3"]
    error = {"code": 1, "message": "not reached"}
    assert json.loads(lines[3]) == {"error": error, "key": "k3", "metadata": {"n": "1"}}
    assert output.tally == Tally(rows=4, failed=3)


def test_a_name_that_is_taken_is_refused_before_anything_runs(tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    path.write_text("prompt,answer\nx,y\n")
    options = RunOptions(source=path, output=tmp_path / "out.csv")
    questions = TableQuestions(options, open_table(path), None)
    with pytest.raises(ConfigurationError, match=r"has a column `answer` already.*--prefix"):
        columns_of(questions, TextAnswers(), "")
    names = [column.name for column in columns_of(questions, TextAnswers(), "new_")]
    assert names[:3] == ["prompt", "answer", "new_answer"]
