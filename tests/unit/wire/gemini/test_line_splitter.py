"""Lines are found wherever the chunks of a file happen to be cut."""

from collections.abc import AsyncIterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from toplu.wire.gemini.line_splitter import LineSpan, LineSplitter, may_name, whole_lines


def split_whole(data: bytes) -> list[LineSpan]:
    """The obvious splitter: everything at once, line by line."""
    spans = []
    offset = 3 if data.startswith(b"\xef\xbb\xbf") else 0
    for number, line in enumerate(data[offset:].split(b"\n"), start=1):
        if line.strip(b" \t\r\v\f"):
            spans.append(LineSpan(offset, len(line.removesuffix(b"\r")), number))
        offset += len(line) + 1
    return spans


def split_in_chunks(chunks: list[bytes]) -> list[LineSpan]:
    splitter = LineSplitter()
    return [span for chunk in chunks for span in splitter.feed(chunk)] + splitter.finish()


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"", []),
        (b"a\nb\n", [(1, b"a"), (2, b"b")]),
        (b"a\nb", [(1, b"a"), (2, b"b")]),
        (b"a\r\nb\r\n", [(1, b"a"), (2, b"b")]),
        (b"\n \t\r\n\na\n\n", [(4, b"a")]),
        (b"\xef\xbb\xbf{}\n", [(1, b"{}")]),
        (b"a\n\xef\xbb\xbfb\n", [(1, b"a"), (2, b"\xef\xbb\xbfb")]),
        (b" a \n", [(1, b" a ")]),
        (b"a\rb\n", [(1, b"a\rb")]),
        (b"a\nb\r", [(1, b"a"), (2, b"b")]),
    ],
)
def test_each_line_is_found_with_its_number(data: bytes, lines: list[tuple[int, bytes]]) -> None:
    spans = split_in_chunks([data])
    found = [(span.number, data[span.offset : span.offset + span.length]) for span in spans]
    assert found == lines


bits = st.sampled_from([b"\n", b"\r\n", b"\r", b" ", b"\t", b"x", b"{}", b"\xef\xbb\xbf", b"\xef"])
files = st.lists(bits, max_size=25).map(b"".join)


@given(files, st.lists(st.integers(1, 6), min_size=1))
@example(b"\xef\xbb\xbf", [1])
@example(b"\xef\xbb", [1])
@example(b"a\r\n\r\n", [2, 1])
def test_the_cut_of_the_chunks_changes_nothing(data: bytes, sizes: list[int]) -> None:
    chunks = [b""]
    position = 0
    while position < len(data):
        size = sizes[len(chunks) % len(sizes)]
        chunks.append(data[position : position + size])
        position += size

    assert split_in_chunks(chunks) == split_whole(data) == split_in_chunks([data])


def test_a_line_is_given_as_soon_as_its_end_is_seen() -> None:
    splitter = LineSplitter()

    assert splitter.feed(b'{"a": 1}') == []
    assert splitter.feed(b"\n{") == [LineSpan(0, 8, 1)]
    assert splitter.feed(b"}") == []
    assert splitter.finish() == [LineSpan(9, 2, 2)]


@pytest.mark.parametrize("size", [1, 2, 5, 100])
async def test_lines_that_come_in_pieces_are_whole(size: int) -> None:
    text = b"one\n\nthree\nand the rest"

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(text), size):
            yield text[start : start + size]

    found = [line async for lines in whole_lines(pieces()) for line in lines]
    assert found == text.split(b"\n")


@pytest.mark.parametrize(
    ("line", "may"),
    [
        (b'{"after": ["a"]}', True),
        (b'{"\\u0061fter": ["a"]}', True),
        (b'{"af\\u0074er": ["a"]}', True),
        (b'{"request": "caf\\u00e9, after all"}', False),
    ],
)
def test_a_field_is_seen_in_whatever_spelling(line: bytes, may: bool) -> None:
    assert may_name(b"after", line) is may
