"""A line says for which others it waits."""

import json
from typing import Any

import pytest

from toplu.errors import InvalidArgument
from toplu.wire.gemini import jsonl
from toplu.wire.gemini.after import AFTER_MAX, Waiting, waiting_of
from toplu.wire.gemini.batch import InlinedRequest
from toplu.wire.gemini.content import GenerateContentRequest

REQUEST = {"contents": [{"parts": [{"text": "x"}]}]}


def line(**members: Any) -> bytes:
    return json.dumps({"key": "me", "request": REQUEST} | members).encode()


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"after": ["a", "b"]}, Waiting(("a", "b"), runs_anyway=False)),
        ({"after": "a"}, Waiting(("a",), runs_anyway=False)),
        ({"after": [7, "a", "a"]}, Waiting(("7", "a"), runs_anyway=False)),
        ({"after": "a", "after_failed": "run"}, Waiting(("a",), runs_anyway=True)),
        ({"after": "a", "afterFailed": "run"}, Waiting(("a",), runs_anyway=True)),
        ({"after": []}, None),
        ({"after": None}, None),
        ({}, None),
    ],
)
def test_a_line_names_the_keys_that_it_waits_for(
    members: dict[str, Any], expected: Waiting | None
) -> None:
    assert waiting_of(line(**members)) == expected
    jsonl.read_line(line(**members), 1)


def test_a_field_with_an_escape_in_its_name_is_the_same_field() -> None:
    escaped = line(after="a").replace(b'"after"', rb'"\u0061fter"')
    assert waiting_of(escaped) == Waiting(("a",), runs_anyway=False)


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"after": {"a": 1}}, "Invalid value at 'after', a key or a list of keys"),
        ({"after": [["a"]]}, "Invalid value at 'after', a key or a list of keys"),
        ({"after": True}, "Invalid value at 'after', a key or a list of keys"),
        ({"after": [str(n) for n in range(AFTER_MAX + 1)]}, "may wait for 64 others"),
        ({"after": "a", "after_failed": "stop"}, "'after_failed', which may be \"run\""),
    ],
)
def test_a_wrong_field_is_an_error_of_the_line(members: dict[str, Any], reason: str) -> None:
    assert waiting_of(line(**members)) is None
    with pytest.raises(InvalidArgument) as refusal:
        jsonl.read_line(line(**members), 7)
    assert str(refusal.value).startswith("Error on line 7: ")
    assert reason in str(refusal.value)


@pytest.mark.parametrize(
    "wrong",
    [b'{"after": "a"', b'{"after": "a"}', b'{"after": "a", "request": 5}', b'["after"]'],
)
def test_what_is_no_request_waits_for_nothing(wrong: bytes) -> None:
    assert waiting_of(wrong) is None


@pytest.mark.parametrize(
    ("after", "keys"),
    [("a", ("a",)), ('["a", "b"]', ("a", "b")), ("[odd", ("[odd",)), (["a"], ("a",))],
)
def test_an_inline_request_says_it_in_its_metadata(after: Any, keys: tuple[str, ...]) -> None:
    metadata = {"key": "me", "after": after, "after_failed": "run"}
    written = jsonl.write_inlined(
        InlinedRequest(request=GenerateContentRequest(), metadata=metadata)
    )
    assert waiting_of(written) == Waiting(keys, runs_anyway=True)
    assert jsonl.name_of(written) == "me"
    assert jsonl.read_line(written, 1).metadata == metadata


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (b'{"key": "a", "metadata": {"key": "b"}}', "a"),
        (b'{"key": 7}', "7"),
        (b'{"metadata": {"key": "b"}}', "b"),
        (b'{"key": "broken', None),
        (b'{"key": "broken", "request": }', "broken"),
        (b"{}", None),
    ],
)
def test_lines_have_names(text: bytes, name: str | None) -> None:
    assert jsonl.name_of(text) == name
