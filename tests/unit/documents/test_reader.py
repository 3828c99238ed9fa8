import asyncio
from typing import Any

import pytest

from support.pdf_files import encrypted_pdf, pdf_of, pdf_of_streams
from support.waiting import PATIENCE_SECONDS
from toplu.documents.fault import DocumentFault
from toplu.documents.media_type import read_media_type
from toplu.documents.reader import DocumentReader
from toplu.settings.server import MIB, Settings

PDF = "application/pdf"


async def text_of(data: bytes, mime_type: str, **settings: Any) -> str:
    async def fetch() -> bytes:
        return data

    reader = DocumentReader(Settings(**settings))
    (text,) = await reader.read(read_media_type(mime_type), len(data), fetch)
    assert isinstance(text, str)
    return text


async def fault_of(data: bytes, mime_type: str, **settings: Any) -> DocumentFault:
    with pytest.raises(DocumentFault) as raised:
        await text_of(data, mime_type, **settings)
    return raised.value


@pytest.mark.parametrize(
    ("mime_type", "data", "text"),
    [
        ("text/plain", b"one\r\ntwo\rthree\n", "one\ntwo\nthree\n"),
        ("text/plain", "Zürich".encode(), "Zürich"),
        ("text/plain", "\ufeffZürich".encode(), "Zürich"),
        ("text/plain", "\ufeffZürich".encode("utf-16-le"), "Zürich"),
        ("text/plain", "\ufeffZürich".encode("utf-16-be"), "Zürich"),
        ("text/plain", "Zürich is".encode("utf-16-le"), "Zürich is"),
        ("text/plain", "Zürich is".encode("utf-16-be"), "Zürich is"),
        ("text/plain", "\ufeffZürich".encode("utf-32-le"), "Zürich"),
        ("text/plain; charset=iso-8859-1", "Zürich".encode("latin-1"), "Zürich"),
        ('text/plain; format=flowed; Charset="Shift_JIS"', "東京".encode("shift_jis"), "東京"),
        ("text/plain", b"", ""),
        ("text/markdown", b"# Title\n\n* a\n", "# Title\n\n* a\n"),
        ("text/csv", b"a,b\n1,2\n", "a,b\n1,2\n"),
        ("application/json", b'{"a": [1]}', '{"a": [1]}'),
        ("application/vnd.api+json", b"[]", "[]"),
        ("text/xml", b"<a><b>1</b></a>", "<a><b>1</b></a>"),
        (
            "application/xml",
            '<?xml version="1.0" encoding="ISO-8859-1"?><a>ü</a>'.encode("latin-1"),
            '<?xml version="1.0" encoding="ISO-8859-1"?><a>ü</a>',
        ),
        ("text/x-python", b"def f():\n\treturn 1\n", "def f():\n\treturn 1\n"),
        ("text/x-anything-new", b"code", "code"),
        ("TEXT/JavaScript", b"let a", "let a"),
        (
            "text/vtt",
            b"WEBVTT\n\n00:01.000 --> 00:04.000\nHi",
            "WEBVTT\n\n00:01.000 --> 00:04.000\nHi",
        ),
        ("application/x-subrip", b"1\r\n00:00:01,000 --> 2\r\nHi", "1\n00:00:01,000 --> 2\nHi"),
    ],
)
async def test_text_is_read_in_its_charset(mime_type: str, data: bytes, text: str) -> None:
    assert await text_of(data, mime_type) == text


@pytest.mark.parametrize(
    ("mime_type", "data", "message"),
    [
        ("text/plain", b"abc\xff", "is not text/plain in utf-8: it cannot be decoded at byte 3."),
        ("text/plain; charset=ascii", "ü".encode(), "is not text/plain in ascii"),
        ("text/csv", b"a\x00b,\x00c", "is not text/csv: it has the control character U+0000."),
        ("text/plain", pdf_of("x"), "is not text/plain: it is a PDF."),
        ("text/plain; charset=zlib", b"x", "Unsupported charset: zlib"),
        ("text/plain; charset=punycode", b"x", "Unsupported charset: punycode"),
        (PDF, b"plain text", "is not application/pdf."),
        (PDF, b"", "is not application/pdf."),
        (PDF, b"%PDF-1.4\nnothing else", "is a PDF that is damaged, or no PDF."),
        (PDF, encrypted_pdf(), "is a PDF that is encrypted."),
        ("text/rtf", b"plain text", "is not text/rtf."),
        ("application/rtf", b"", "is not application/rtf."),
        ("text/rtf", pdf_of("x"), "is not text/rtf."),
        ("text/rtf", rb"{\rtf1 \u99999999999999999?}", "is RTF that is damaged."),
    ],
)
async def test_bytes_that_are_not_what_their_type_says_are_a_clear_fault(
    mime_type: str, data: bytes, message: str
) -> None:
    fault = await fault_of(data, mime_type)
    assert fault.message.startswith(message)
    assert not fault.unserved


@pytest.mark.parametrize(
    ("mime_type", "message", "unserved"),
    [
        ("Audio/MP3; x=y", "is audio/mp3, and this server does not serve audio.", True),
        ("video/mp4", "is video/mp4, and this server does not serve video.", True),
        ("application/zip", "Unsupported MIME type: application/zip", False),
        ("application/octet-stream", "Unsupported MIME type: application/octet-stream", False),
        ("text/x-\n<b>", "Unsupported MIME type: text/x-\n<b>", False),
        ("", "Unsupported MIME type: ", False),
    ],
)
def test_a_type_that_is_not_read_is_named(mime_type: str, message: str, unserved: bool) -> None:
    with pytest.raises(DocumentFault) as raised:
        read_media_type(mime_type)
    assert (raised.value.message, raised.value.unserved) == (message, unserved)


async def test_the_pages_of_a_pdf_are_read_in_their_order() -> None:
    text = await text_of(pdf_of("First page\nits second line", "Second (page)"), PDF)
    assert text == "First page\nits second line\n\nSecond (page)"


async def test_a_pdf_of_empty_pages_has_no_text() -> None:
    fault = await fault_of(pdf_of_streams(b""), PDF)
    assert fault.unserved
    assert fault.message == "is a PDF without text: its pages are empty."


async def test_a_pdf_with_too_many_pages_is_refused() -> None:
    fault = await fault_of(pdf_of("a", "b", "c"), PDF, document_pages_max=2)
    assert fault.message == "has 3 pages; at most 2 are read."


@pytest.mark.parametrize(
    ("mime_type", "data"),
    [
        ("text/plain", b"a" * 101),
        ("text/html", b"a" * 101),
        (PDF, pdf_of("a" * 101)),
        (PDF, pdf_of("a" * 60, "b" * 60)),
    ],
)
async def test_more_text_than_the_limit_is_refused(mime_type: str, data: bytes) -> None:
    fault = await fault_of(data, mime_type, document_characters_max=100)
    assert fault.message == "has more text than 100 characters."


async def test_more_bytes_than_the_limit_are_not_even_fetched() -> None:
    async def fetch() -> bytes:
        raise AssertionError("the bytes were fetched")

    reader = DocumentReader(Settings(document_bytes_max=10))
    with pytest.raises(DocumentFault, match="has 11 bytes; at most 10 are read"):
        await reader.read(read_media_type(PDF), 11, fetch)


@pytest.mark.slow
async def test_a_document_that_takes_too_much_memory_is_that_documents_fault() -> None:
    data = b"<p>" + b"a<br>" * (2 * MIB)
    fault = await fault_of(data, "text/html", document_memory_bytes_max=64 * MIB)
    assert "limits" in fault.message


async def test_a_document_that_takes_too_long_is_that_documents_fault() -> None:
    # A page that is far beyond what a second is enough for, whatever the machine.
    data = b"<ul><li>a</li></ul>" * (2 * MIB)
    async with asyncio.timeout(PATIENCE_SECONDS):
        fault = await fault_of(data, "text/html", document_seconds_max=1.0)
    assert "limits" in fault.message


async def test_deep_nesting_is_read_without_recursion() -> None:
    data = b"<div>" * 100_000 + b"deep" + b"</div>" * 100_000
    assert await text_of(data, "text/html") == "deep"
    nested = b"[" * 50_000 + b"]" * 50_000
    pdf = pdf_of_streams(b"BT /F1 14 Tf 72 720 Td " + nested + b" TJ (after) Tj ET")
    assert "limits" not in (await text_or_fault(pdf))


async def text_or_fault(pdf: bytes) -> str:
    try:
        return await text_of(pdf, PDF)
    except DocumentFault as fault:
        return fault.message


async def test_a_cancelled_reading_leaves_no_process() -> None:
    data = b"<ul><li>a</li></ul>" * (2 * MIB)
    reading = asyncio.ensure_future(text_of(data, "text/html"))
    done, _ = await asyncio.wait({reading}, timeout=0.3)
    assert not done
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading


class Counting:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.times = 0

    async def __call__(self) -> bytes:
        self.times += 1
        return self.data


async def test_a_file_is_read_once_however_many_ask() -> None:
    reader = DocumentReader(Settings(document_readers_max=1))
    fetch = Counting(b"text")
    text = read_media_type("text/plain")
    calls = [reader.read(text, 4, fetch, key="a") for _ in range(9)]
    assert await asyncio.gather(*calls) == [("text",)] * 9
    assert fetch.times == 1
    assert await reader.read(text, 4, fetch) == ("text",)
    assert fetch.times == 2


async def test_a_fault_is_remembered_as_well() -> None:
    reader = DocumentReader(Settings())
    fetch = Counting(b"\xff")
    for _ in range(2):
        with pytest.raises(DocumentFault, match="cannot be decoded"):
            await reader.read(read_media_type("text/plain"), 1, fetch, key="a")
    assert fetch.times == 1


async def test_texts_are_forgotten_when_younger_ones_need_the_room() -> None:
    reader = DocumentReader(Settings(documents_kept_characters_max=2000))
    text = read_media_type("text/plain")
    first, second, third = (Counting(b"x" * 700) for _ in range(3))
    for fetch in (first, second, first, third, first, second):
        await reader.read(text, 700, fetch, key=id(fetch))
    assert (first.times, second.times, third.times) == (1, 2, 1)
