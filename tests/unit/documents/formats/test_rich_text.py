"""RTF as word processors write it, and as nobody should."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toplu.documents.fault import DocumentFault
from toplu.documents.formats.rich_text import is_rich_text, read_rich_text
from toplu.documents.media_type import read_media_type
from toplu.documents.reader import DocumentReader
from toplu.settings.server import Settings

LETTER = (
    rb"{\rtf1\ansi\ansicpg1252\deff0{\fonttbl{\f0\fnil\fcharset0 Arial;}}"
    rb"{\colortbl;\red0\green0\blue0;}{\info{\author Somebody}}{\*\generator Writer;}"
    rb"\pard\f0 The code word is {\b BANANA}.\par "
    rb"M\'fcller pays \u8364?5 \u-10179?\u-8704?\line next\par\par\par\par "
    rb"{\trowd\intbl a\cell b\cell\row}}"
)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (LETTER, "The code word is BANANA.\nMüller pays €5 😀\nnext\n\na|b|"),
        (rb"{\rtf1\ansi\ansicpg1251 \'cf\'f0\'e8\'e2\'e5\'f2}", "Привет"),
        (r"{\rtf1\ansi\ansicpg1251 Привет}".encode("cp1251"), "Привет"),
        (rb"{\rtf1\ansi\ansicpg65001 x}", "x"),
        (rb"{\rtf1\ansi\ansicpg99999 x}", "x"),
        (rb"{\rtf1 a\u-10179?b}", "a\ufffdb"),
        (rb"{\rtf1 a\u0?\u7?b}", "ab"),
        (rb"{\rtf1{\pict\pngblip 89504e47}}", ""),
        (rb"{\rtf1 open", "open"),
    ],
)
def test_the_text_is_read_and_nothing_else(data: bytes, text: str) -> None:
    assert read_rich_text(data) == text


async def test_the_child_reads_it_within_the_bounds() -> None:
    async def read(data: bytes, **bounds: int) -> str:
        async def fetch() -> bytes:
            return data

        reader = DocumentReader(Settings(**bounds))
        (text,) = await reader.read(read_media_type("text/rtf"), len(data), fetch)
        assert isinstance(text, str)
        return text

    assert "BANANA" in await read(LETTER)
    with pytest.raises(DocumentFault, match="has more text than 10 characters"):
        await read(LETTER, document_characters_max=10)
    # The library's pattern of links takes longer than anybody waits.
    links = rb"{\rtf1 " + rb'{\field{\*\fldinst{ HYPERLINK "a" ' * 3000 + rb"}"
    with pytest.raises(DocumentFault, match="limits on memory and time"):
        await read(links * 10, document_seconds_max=1)


@given(st.binary(max_size=60) | st.text(alphabet="{}\\\\'*u0123-9abfpict \n", max_size=60))
@settings(max_examples=200)
def test_nothing_but_a_fault_comes_of_damage(rest: bytes | str) -> None:
    data = b"{\\rtf1" + (rest.encode() if isinstance(rest, str) else rest)
    assert is_rich_text(data)
    with contextlib.suppress(DocumentFault):
        assert "\0" not in read_rich_text(data)
