"""Pages of PDFs that are images: shown in their order, or a clear fault that says both ways out."""

import io
from typing import Any

import PIL.Image
import pytest

from support.pdf_files import joined_pdf, pdf_of, pdf_of_streams, scan_of
from toplu.documents.fault import DocumentFault
from toplu.documents.image import PlainImage
from toplu.documents.media_type import read_media_type
from toplu.documents.reader import DocumentReader
from toplu.documents.reading_process import Pieces
from toplu.settings.server import Settings

PDF = read_media_type("application/pdf")
SCAN = scan_of(pdf_of("An invoice"))


async def pieces_of(data: bytes, shown_side: int | None = None, **settings: Any) -> Pieces:
    async def fetch() -> bytes:
        return data

    reader = DocumentReader(Settings(**settings))
    return await reader.read(PDF, len(data), fetch, shown_side=shown_side)


async def fault_of(data: bytes, shown_side: int | None = None, **settings: Any) -> DocumentFault:
    with pytest.raises(DocumentFault) as raised:
        await pieces_of(data, shown_side, **settings)
    return raised.value


async def test_pages_without_text_are_shown_where_they_stand() -> None:
    pages = joined_pdf(pdf_of("One", "Two"), SCAN, SCAN, pdf_of("Five"), pdf_of_streams(b""))
    first, third, fourth, fifth = await pieces_of(pages, shown_side=400)
    assert (first, fifth) == ("One\n\nTwo", "Five")
    for page in (third, fourth):
        assert isinstance(page, PlainImage)
        assert (page.width, page.height) == (309, 400)  # of 612 times 792 points


async def test_a_page_that_is_shown_looks_like_the_scan() -> None:
    (page,) = await pieces_of(SCAN, shown_side=792)
    assert isinstance(page, PlainImage)
    with PIL.Image.open(io.BytesIO(page.data)) as image:
        grey = image.convert("L")
    assert grey.size == (612, 792)
    # The text is 14 points high, and begins 72 points from the left and from the top.
    left, top, right, bottom = grey.point(lambda level: 255 if level < 128 else 0).getbbox()
    assert (left, top) == pytest.approx((72, 62), abs=3)
    assert right < 150
    assert bottom < 80


async def test_a_drawing_without_text_is_shown_as_well() -> None:
    (page,) = await pieces_of(pdf_of_streams(b"100 100 300 300 re f"), shown_side=100)
    assert isinstance(page, PlainImage)


async def test_a_scan_says_both_ways_out_where_nothing_sees_it() -> None:
    fault = await fault_of(scan_of(pdf_of("One", "Two")))
    assert fault.unserved
    assert "its pages are images" in fault.message
    assert "a model that sees" in fault.message
    assert 'ocr = "tesseract"' in fault.message


async def test_a_page_that_is_not_read_leaves_a_mark_among_those_that_are() -> None:
    pages = joined_pdf(pdf_of("One"), SCAN, pdf_of("Three"))
    assert await pieces_of(pages) == ("One\n\n[page 2 is an image without text]\n\nThree",)


async def test_no_more_pages_are_shown_than_a_request_may_show() -> None:
    fault = await fault_of(joined_pdf(SCAN, SCAN, SCAN), shown_side=100, request_images_max=2)
    assert "more than 2 pages without text" in fault.message


async def test_pages_have_no_more_bytes_than_a_request_may_show() -> None:
    fault = await fault_of(joined_pdf(SCAN, SCAN), shown_side=800, request_image_bytes_max=9000)
    assert "more than 9000 bytes together" in fault.message


async def test_a_page_of_kilometres_is_shown_within_the_side() -> None:
    huge = pdf_of_streams(b"0 0 9 9 re f").replace(b"[0 0 612 792]", b"[0 0 14400 2]")
    (page,) = await pieces_of(huge, shown_side=300)
    assert isinstance(page, PlainImage)
    assert (page.width, page.height) == (300, 1)
