"""A written message is one line to every reader, and reads back as the same."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from toplu.wire.gemini import jsonl, message

# Those of Python are those of JavaScript, Java and .NET as well, and some more.
BREAKS = [line[-1] for line in "".join(map(chr, range(0x110000))).splitlines(keepends=True)[:-1]]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def test_the_characters_are_those_of_the_unicode_standard() -> None:
    assert "".join(BREAKS) == "\n\v\f\r\x1c\x1d\x1e\x85\u2028\u2029"


@given(JSON)
@example("".join(BREAKS))
@example({"\u2028": ["\x85", "\u2029"]})
def test_json_is_one_line_and_reads_back_equal(value: object) -> None:
    written = message.write(value)
    assert len(written.decode().splitlines()) == 1
    assert len(written.splitlines()) == 1
    assert json.loads(written) == value


@pytest.mark.parametrize("character", BREAKS)
def test_a_line_of_an_earlier_version_is_made_one(character: str) -> None:
    old = json.dumps({"key": f"a{character}b"}, ensure_ascii=False).encode()
    assert message.on_one_line(old).decode().splitlines() == [message.on_one_line(old).decode()]
    assert json.loads(message.on_one_line(old)) == {"key": f"a{character}b"}
    numbered = jsonl.with_number(old, 7)
    assert json.loads(numbered) == {"line": 7, "key": f"a{character}b"}
    assert len(numbered.decode().splitlines()) == 1


def test_half_a_surrogate_pair_is_a_mark_and_no_failure() -> None:
    assert json.loads(message.write({"text": "a\ud83d\u2028b"})) == {"text": "a?\u2028b"}
