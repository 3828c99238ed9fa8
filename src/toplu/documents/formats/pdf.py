"""The pages of a PDF in their order: their text, and what becomes of a page that has none.

    page ──▶ text                                     of a page that has some
         └─▶ picture ──┬──▶ shown                     to a model that sees
                       └──▶ Tesseract ──▶ text        where the operator has set it up

It runs in the child alone.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import Any

import msgspec

from toplu.documents.fault import DocumentFault
from toplu.documents.formats.ocr import recognize
from toplu.documents.image import PlainImage, write_page

# pdfium's own numbers of what FPDF_GetLastError may return.
PASSWORD_ERRORS = {4, 5}
POINTS_OF_AN_INCH = 72
# What Tesseract is made for, and as many dots as the longer side of an A4 page has then.
OCR_DOTS_OF_AN_INCH = 300
OCR_SIDE_MAX = 3508


class Scans(StrEnum):
    """The ways of pages that have no text."""

    REFUSED = "REFUSED"
    SHOWN = "SHOWN"
    RECOGNIZED = "RECOGNIZED"


class ScanOrder(msgspec.Struct, frozen=True, kw_only=True):
    """The way of pages without text, with the limits on it."""

    way: Scans = Scans.REFUSED
    side_max: int = 1  # of a page that is shown, its longer side in pixels
    shown_max: int = 0  # pages
    shown_bytes_max: int = 0  # of all pages together, as they are shown
    languages: str = "eng"  # as Tesseract names them
    seconds_more: float = 0.0  # by the clock, for Tesseract


class PdfReader:
    """Reads one PDF, within its limits."""

    def __init__(self, *, pages_max: int, characters_max: int, scans: ScanOrder) -> None:
        self._pages_max = pages_max
        self._characters_max = characters_max
        self._characters = 0
        self._scans = scans
        self._shown = 0
        self._shown_bytes = 0
        self._unread = 0

    def read(self, data: bytes) -> list[str | PlainImage]:
        """Return the texts and the pictures of its pages, or raise DocumentFault."""
        document = _opened(data)
        if len(document) > self._pages_max:
            raise DocumentFault(f"has {len(document)} pages; at most {self._pages_max} are read.")
        pages = [self._read_page(document, index) for index in range(len(document))]
        read = _joined(page for page in pages if page)
        if self._unread and self._unread == sum(bool(page) for page in pages):
            raise DocumentFault(
                "is a PDF without text: its pages are images. Show it to a model that sees, in a "
                'turn of the user\'s, or have the operator of this server set ocr = "tesseract".',
                unserved=True,
            )
        if not read:
            raise DocumentFault("is a PDF without text: its pages are empty.", unserved=True)
        return read

    def _read_page(self, document: Any, index: int) -> str | PlainImage:
        import pypdfium2

        try:
            page = document[index]
            text = self._text_of(page)
            if text or not pypdfium2.raw.FPDFPage_CountObjects(page.raw):
                return text
            return self._read_scan(page, index + 1)
        except pypdfium2.PdfiumError as error:
            raise DocumentFault(f"is a PDF whose page {index + 1} is damaged.") from error

    def _text_of(self, page: Any) -> str:
        text_page = page.get_textpage()
        # Asked first, because pdfium makes the whole text in one piece.
        self._check_room(text_page.count_chars())
        return self._take(text_page.get_text_bounded())

    def _read_scan(self, page: Any, number: int) -> str | PlainImage:
        if self._scans.way is Scans.SHOWN:
            return self._show(page)
        if self._scans.way is Scans.RECOGNIZED:
            scale = min(OCR_DOTS_OF_AN_INCH / POINTS_OF_AN_INCH, _scale_to(page, OCR_SIDE_MAX))
            picture = page.render(scale=scale, grayscale=True).to_pil()
            dots = round(scale * POINTS_OF_AN_INCH)
            return self._take(
                recognize(picture, dots, page=number, languages=self._scans.languages)
            )
        self._unread += 1
        return f"[page {number} is an image without text]"

    def _show(self, page: Any) -> PlainImage:
        self._shown += 1
        if self._shown > self._scans.shown_max:
            raise DocumentFault(
                f"is a PDF with more than {self._scans.shown_max} pages without text, which are "
                "images: a request shows no more."
            )
        picture = page.render(scale=_scale_to(page, self._scans.side_max)).to_pil()
        image = write_page(picture, self._scans.side_max)
        self._shown_bytes += len(image.data)
        if self._shown_bytes > self._scans.shown_bytes_max:
            raise DocumentFault(
                f"is a PDF whose pages without text have more than {self._scans.shown_bytes_max} "
                "bytes together, as they are shown."
            )
        return image

    def _take(self, text: str) -> str:
        lines = text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "").split("\n")
        text = "\n".join(line.rstrip() for line in lines).strip("\n")
        self._check_room(len(text))
        self._characters += len(text)
        return text

    def _check_room(self, more: int) -> None:
        if self._characters + more > self._characters_max:
            raise too_long(self._characters_max)


def too_long(characters_max: int) -> DocumentFault:
    """Return the fault of a document with more text than is read."""
    return DocumentFault(f"has more text than {characters_max} characters.")


def _opened(data: bytes) -> Any:
    import pypdfium2

    try:
        return pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        if error.err_code in PASSWORD_ERRORS:
            raise DocumentFault("is a PDF that is encrypted.") from error
        raise DocumentFault("is a PDF that is damaged, or no PDF.") from error


def _scale_to(page: Any, side: int) -> float:
    """Return the pixels of a point that make the longer side of the page so long."""
    points: float = max(1.0, *page.get_size())
    return (side - 0.5) / points  # pdfium rounds up


def _joined(pages: Iterable[str | PlainImage]) -> list[str | PlainImage]:
    """Return the pages, those of text joined that follow each other."""
    joined: list[str | PlainImage] = []
    for page in pages:
        if joined and isinstance(page, str) and isinstance(joined[-1], str):
            joined[-1] += f"\n\n{page}"
        else:
            joined.append(page)
    return joined
