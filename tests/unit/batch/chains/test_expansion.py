"""Answers are written into the text values of a line, once."""

import json
from typing import Any

import pytest

from toplu.batch.chains.answers import Answer
from toplu.batch.chains.expansion import Expansion
from toplu.errors import FailedPrecondition, InvalidArgument
from toplu.wire.gemini.after import waiting_of


def answer(text: str) -> Answer:
    candidate = {"content": {"parts": [{"text": text}]}, "finishReason": "STOP"}
    return Answer(json.dumps({"response": {"candidates": [candidate]}}).encode())


FAILED = Answer(b'{"error":{"code":13,"message":"no"}}')


def expand(
    text: str, answers: dict[str, Answer], *awaited: str, bytes_max: int = 1000, **members: Any
) -> dict[str, Any]:
    request = {"contents": [{"parts": [{"text": text}]}]}
    line = json.dumps(
        {"key": "me", "after": [*answers, *awaited], "request": request} | members
    ).encode()
    waiting = waiting_of(line)
    assert waiting is not None
    return json.loads(Expansion(waiting, answers, bytes_max).of_line(line))


def text_of(line: dict[str, Any]) -> str:
    return line["request"]["contents"][0]["parts"][0]["text"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Judge: ${a.text}!", "Judge: Ann!"),
        ("${a.text}${b.json.x}", "Ann1"),
        ("${a.finishReason} ${b.json}", 'STOP {"x":1}'),
        ("$${a.text} and $$${a.text}", "${a.text} and $${a.text}"),
        ("a $ sign, a { sign, $", "a $ sign, a { sign, $"),
        ("nothing", "nothing"),
        ("$${", "${"),
    ],
)
def test_expansions_become_answers(text: str, expected: str) -> None:
    expanded = expand(text, {"a": answer("Ann"), "b": answer('{"x": 1}')}, after_failed="run")
    assert text_of(expanded) == expected
    assert expanded.keys() == {"key", "request"}


def test_what_is_inserted_is_not_looked_at() -> None:
    assert text_of(expand("${a.text}", {"a": answer('$${b.text} ${a.text} "\\ \n')})) == (
        '$${b.text} ${a.text} "\\ \n'
    )


def test_a_key_that_begins_with_another_is_found() -> None:
    answers = {"a": answer("one"), "a.text": answer("two"), "q } z": answer("three")}
    assert text_of(expand("${a.text} ${a.text.text} ${q } z.text}", answers)) == "one two three"


def test_only_values_of_the_request_are_expanded() -> None:
    line = json.dumps(
        {
            "key": "${a.text}",
            "metadata": {"m": "${a.text}"},
            "after": "a",
            "request": {"${a.text}": ["${a.text}", 5, None, {"x": "${a.text}"}]},
        }
    ).encode()
    waiting = waiting_of(line)
    assert waiting is not None
    assert json.loads(Expansion(waiting, {"a": answer("Ann")}, 1000).of_line(line)) == {
        "key": "${a.text}",
        "metadata": {"m": "${a.text}"},
        "request": {"${a.text}": ["Ann", 5, None, {"x": "Ann"}]},
    }


@pytest.mark.parametrize("text", ["${HOME}", "${c.text}", "${a.texts}", "${a.text", "x ${", "${a}"])
def test_what_only_looks_like_an_expansion_is_an_error(text: str) -> None:
    with pytest.raises(InvalidArgument, match="is no expansion"):
        expand(text, {"a": answer("Ann")})


def test_an_expanded_line_is_no_longer_than_a_line_may_be() -> None:
    answers = {"a": answer("x" * 600)}
    assert len(text_of(expand("${a.text}", answers))) == 600
    for text in ("${a.text}${a.text}", "${a.text}" + "y" * 400):
        with pytest.raises(InvalidArgument, match="longer than 1000 bytes"):
            expand(text, answers)


def test_a_failed_answer_fails_the_line_unless_it_is_to_run() -> None:
    with pytest.raises(FailedPrecondition, match='"b" has failed'):
        expand("${a.text}", {"a": answer("Ann"), "b": FAILED})
    anyway = expand("${a.text} [${b.text}]", {"a": answer("Ann"), "b": FAILED}, after_failed="run")
    assert text_of(anyway) == "Ann []"


def test_an_answer_that_lacks_a_part_fails_the_line_unless_it_is_to_run() -> None:
    with pytest.raises(FailedPrecondition, match=r'"a" has no json\.x'):
        expand("${a.json.x}", {"a": answer("no JSON")})
    assert text_of(expand("[${a.json.x}]", {"a": answer("no")}, after_failed="run")) == "[]"


def test_where_others_are_awaited_the_rest_comes_out_as_it_is() -> None:
    first = expand("$${x} ${a.text} ${b.text} $$${", {"a": answer("${b.text} $${")}, "b")
    assert first["after"] == ["b"]
    again = json.dumps(first).encode()
    waiting = waiting_of(again)
    assert waiting is not None
    second = json.loads(Expansion(waiting, {"b": answer("Bob")}, 1000).of_line(again))
    assert text_of(second) == "${x} ${b.text} $${ Bob $${"


def test_a_dollar_before_what_is_awaited_cannot_be_written() -> None:
    with pytest.raises(FailedPrecondition, match=r"ends with \$"):
        expand("${a.text}${b.text}", {"a": answer("5 $")}, "b")
