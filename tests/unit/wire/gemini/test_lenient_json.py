"""The fallback reader takes what Google's front end takes, and refuses the rest in its words."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.wire.renderings import json_values, render_loosely
from toplu.errors import InvalidArgument
from toplu.wire.gemini import lenient_json


def refusal(text: bytes) -> str:
    with pytest.raises(InvalidArgument) as caught:
        lenient_json.parse(text)
    return caught.value.message


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b"{'file': {'display_name': 'BatchInput'}}", {"file": {"display_name": "BatchInput"}}),
        (b"{display_name: 1, $a: 2, _b9: 3}", {"display_name": 1, "$a": 2, "_b9": 3}),
        (b"{trueish: 1, nullable: true}", {"trueish": 1, "nullable": True}),
        (b'{"a": [1, 2,], "b": {"c": 3,},}', {"a": [1, 2], "b": {"c": 3}}),
        (b'"a\nb\tc\x01"', "a\nb\tc\x01"),
        (rb'"\x \/ \" \' \\ \b\f\n\r\t\v"', "x / \" ' \\ \b\f\n\r\t\v"),
        (b"'it\\'s \"quoted\"'", 'it\'s "quoted"'),
        (rb'"\u00e7\u0041\ud83d\ude00\\ud83d"', "çA😀\\ud83d"),
        ("'ç😀'".encode(), "ç😀"),
        (b"\xef\xbb\xbf{}", {}),
        (b"", {}),
        (b" \r\n\t\v\f ", {}),
        (b"\xef\xbb\xbf", {}),
        (
            b"[-0, 0, 1.5, -2e3, 1E+2, 123456789012345678901]",
            [0, 0, 1.5, -2e3, 1e2, 123456789012345678901],
        ),
        (b"[true, false, null]", [True, False, None]),
        (b'{"a": 1, "a": 2}', {"a": 2}),
        (b"[]", []),
        (b"'x'", "x"),
    ],
)
def test_it_reads_what_the_front_end_reads(text: bytes, value: Any) -> None:
    assert lenient_json.parse(text) == value


@pytest.mark.parametrize(
    ("text", "reason", "column"),
    [
        (b'{"a": }', "Unexpected token.", 6),
        (b'{"a": NaN}', "Unexpected token.", 6),
        (b'{"a": Infinity}', "Unexpected token.", 6),
        (b"[1,,2]", "Unexpected token.", 3),
        (b"[1}", "Expected , or ] after array value.", 2),
        (b'{"a": #}', "Expected a value.", 6),
        (b"// no", "Expected a value.", 0),
        (b'{"a": 1 /* no */}', "Expected , or } after key:value pair.", 8),
        (b'{"a": 1 "b": 2}', "Expected , or } after key:value pair.", 8),
        (b'{"a" 1}', "Expected : between key:value pair.", 5),
        (b"{1: 2}", "Expected an object key or }.", 1),
        (b"{null: 2}", "Expected an object key or }.", 1),
        (b"{,}", "Expected an object key or }.", 1),
        (b"[#]", "Expected a value or ] within an array.", 1),
        (b"[1 2]", "Expected , or ] after array value.", 3),
        (b"'abc", "Closing quote expected in string.", 4),
        (b'"abc\\', "Closing quote expected in string.", 5),
        (b"{} {}", "Parsing terminated before end of input.", 3),
        (b"[1] // no", "Parsing terminated before end of input.", 4),
        (b"010", "Octal/hex numbers are not valid JSON values.", 0),
        (b"[-0x1F]", "Octal/hex numbers are not valid JSON values.", 1),
        (b"[-Infinity]", "Unable to parse number.", 1),
        (b"[1-2]", "Unable to parse number.", 1),
        (b"[1e999]", "Number exceeds the range of double.", 1),
        (b"[" + b"9" * 5000 + b"]", "Number exceeds the range of double.", 1),
        (rb'"ab\ud83dcd"', "Missing low surrogate.", 3),
        (rb'"\ud83d\u0041"', "Missing low surrogate.", 1),
        (rb'"\ude00"', "Invalid unicode code point.", 1),
        (rb'"\u12g4"', "Illegal hex string.", 1),
    ],
)
def test_it_refuses_in_googles_words_with_a_caret(text: bytes, reason: str, column: int) -> None:
    first, context, caret = refusal(text).split("\n")

    assert first == f"Invalid JSON payload received. {reason}"
    start = max(column - 20, 0)
    assert context == text.decode()[start : column + 20]
    assert caret == " " * (column - start) + "^"


@pytest.mark.parametrize(
    ("text", "expectation"),
    [
        (b"{", "Expected an object key or }."),
        (b'{"a"', "Expected : between key:value pair."),
        (b'{"a":', "Expected a value."),
        (b'{"a": 1', "Expected , or } after key:value pair."),
        (b"[", "Expected a value or ] within an array."),
        (b"[1", "Expected , or ] after array value."),
    ],
)
def test_a_text_that_ends_early_says_what_was_due(text: bytes, expectation: str) -> None:
    expected = f"Invalid JSON payload received. Unexpected end of string. {expectation}\n"
    assert refusal(text).startswith(expected)


def test_the_context_is_twenty_characters_on_either_side() -> None:
    message = refusal(b"{'" + b"k" * 40 + b"': 1 '" + b"v" * 40 + b"'}")

    reason = "Invalid JSON payload received. Expected , or } after key:value pair."
    assert message == f"{reason}\n{'k' * 15}': 1 '{'v' * 19}\n{' ' * 20}^"


def test_a_syntax_error_is_a_field_violation_without_a_field() -> None:
    with pytest.raises(InvalidArgument) as caught:
        lenient_json.parse(b"{")

    (detail,) = caught.value.details
    assert detail["fieldViolations"] == [{"description": caught.value.message}]


def test_text_that_is_not_utf_8_is_refused_at_the_byte() -> None:
    first, context, caret = refusal(b'{"\xc3\xa7": "\xff"}').split("\n")

    assert first == "Invalid JSON payload received. Encountered non UTF-8 code points."
    assert context == '{"ç": "\ufffd"}'
    assert caret == "       ^"


@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b"{k:", b"}")])
def test_a_hundred_levels_are_the_deepest(opening: bytes, closing: bytes) -> None:
    lenient_json.parse(opening * 100 + b"1" + closing * 100)

    key = "k" if b"k" in opening else ""
    for depth in (101, 100_000):
        message = refusal(opening * depth + b"1" + closing * depth)
        reason = f"Message too deep. Max recursion depth reached for key '{key}'"
        assert message.startswith(f"Invalid JSON payload received. {reason}\n")


@given(json_values)
def test_strict_json_reads_as_any_reader_reads_it(value: Any) -> None:
    for ascii_only in (True, False):
        text = json.dumps(value, ensure_ascii=ascii_only)
        assert lenient_json.parse(text.encode()) == json.loads(text)


@given(json_values, st.data())
def test_loose_spelling_changes_no_value(value: Any, data: st.DataObject) -> None:
    text = render_loosely(value, lambda choices: data.draw(st.sampled_from(choices)))
    assert lenient_json.parse(text.encode()) == value


fragments = st.lists(
    st.sampled_from(
        [*"{}[]:,'\"\\/-+.0129eExu", "true", "null", "\\u", "d83d", "a", " ", "\n", "ç"]
    ),
    max_size=30,
)


@given(st.binary(max_size=60) | fragments.map(lambda pieces: "".join(pieces).encode()))
def test_no_bytes_raise_anything_but_invalid_argument(text: bytes) -> None:
    try:
        value = lenient_json.parse(text)
    except InvalidArgument:
        return
    # What it takes can be written as strict JSON.
    json.dumps(value, allow_nan=False, ensure_ascii=False).encode()


@given(json_values)
def test_depth_is_measured_as_it_is(value: Any) -> None:
    depth = _depth(value)
    deeper = json.dumps(value)
    at_limit = b"[" * (100 - depth) + deeper.encode() + b"]" * (100 - depth)

    assert not lenient_json.is_too_deep(at_limit)
    assert lenient_json.is_too_deep(b'{"k":' + at_limit + b"}")


def test_brackets_inside_strings_are_no_depth() -> None:
    text = json.dumps(["[" * 500, '"' + "{" * 500, "\\"]).encode()
    assert not lenient_json.is_too_deep(text)


def _depth(value: Any) -> int:
    if isinstance(value, dict):
        value = list(value.values())
    if not isinstance(value, list):
        return 0
    return 1 + max(map(_depth, value), default=0)
