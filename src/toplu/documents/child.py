r"""The process in which hostile documents are read: it limits itself, reads one, and ends.

    stdin    {"type": …, limits}\n then the bytes
    stdout   {"text": …}, {"image": …} or {"fault": …}, one line

It is a program of its own so that a bomb, a hang or a crash inside a parser costs one document.
"""

import contextlib
import resource
import sys
from typing import Any

import msgspec

from toplu.documents.fault import DocumentFault
from toplu.documents.image import PlainImage, read_image
from toplu.documents.image_type import ImageType
from toplu.documents.media_type import Reading

# pdfium's own numbers of what FPDF_GetLastError may return.
PDF_PASSWORD_ERRORS = {4, 5}


class ChildOrder(msgspec.Struct, frozen=True, kw_only=True):
    """The thing to read, with the limits on it."""

    size_bytes: int
    memory_bytes_max: int
    cpu_seconds_max: int


class DocumentOrder(ChildOrder, frozen=True, kw_only=True, tag="document"):
    """A document, for its text."""

    reading: Reading
    pages_max: int
    characters_max: int


class ImageOrder(ChildOrder, frozen=True, kw_only=True, tag="image"):
    """An image, to be written again."""

    media_type: ImageType
    pixels_max: int
    side_max: int


class ChildAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The text or the image, or why there is none."""

    text: str | None = None
    image: PlainImage | None = None
    fault: str | None = None
    unserved: bool = False


def main() -> None:
    """Read the one document or image that stdin has."""
    order = msgspec.json.decode(sys.stdin.buffer.readline(), type=DocumentOrder | ImageOrder)
    _limit(order)
    data = sys.stdin.buffer.read(order.size_bytes)
    try:
        answer = _answer(order, data)
    except DocumentFault as fault:
        answer = ChildAnswer(fault=fault.message, unserved=fault.unserved)
    except (MemoryError, RecursionError):
        answer = ChildAnswer(fault="cannot be read within the limits on memory.")
    sys.stdout.buffer.write(msgspec.json.encode(answer))
    sys.stdout.buffer.flush()


def _limit(order: ChildOrder) -> None:
    """Bound what this process may take, before it has seen a byte of the document."""
    limits = {
        resource.RLIMIT_AS: order.memory_bytes_max,
        resource.RLIMIT_CPU: order.cpu_seconds_max,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
    }
    for limit, value in limits.items():
        # A limit that is lower already stays, and some systems have no bound on addresses.
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(limit, (value, value))


def _answer(order: DocumentOrder | ImageOrder, data: bytes) -> ChildAnswer:
    if isinstance(order, DocumentOrder):
        return ChildAnswer(text=_read(order, data))
    image = read_image(data, order.media_type, pixels_max=order.pixels_max, side_max=order.side_max)
    return ChildAnswer(image=image)


def _read(order: DocumentOrder, data: bytes) -> str:
    if order.reading is Reading.HTML:
        from toplu.documents.web_page import read_page

        return _within(order.characters_max, read_page(data.decode()))
    if order.reading is Reading.RTF:
        from toplu.documents.rich_text import read_rich_text

        return _within(order.characters_max, read_rich_text(data))
    return _read_pdf(order, data)


def _within(characters_max: int, text: str) -> str:
    if len(text) > characters_max:
        raise too_long(characters_max)
    return text


def too_long(characters_max: int) -> DocumentFault:
    """Return the fault of a document with more text than is read."""
    return DocumentFault(f"has more text than {characters_max} characters.")


def _read_pdf(order: DocumentOrder, data: bytes) -> str:
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        if error.err_code in PDF_PASSWORD_ERRORS:
            raise DocumentFault("is a PDF that is encrypted.") from error
        raise DocumentFault("is a PDF that is damaged, or no PDF.") from error
    if len(document) > order.pages_max:
        raise DocumentFault(f"has {len(document)} pages; at most {order.pages_max} are read.")
    pages: list[str] = []
    left = order.characters_max
    for index in range(len(document)):
        page = _read_pdf_page(document, index, left)
        if page is None:
            raise too_long(order.characters_max)
        pages.append(page)
        left -= len(page)
    text = "\n\n".join(page for page in pages if page)
    if not text:
        raise DocumentFault(
            "is a PDF without text: its pages are images or empty, and of a PDF the text is read.",
            unserved=True,
        )
    return text


def _read_pdf_page(document: Any, index: int, characters_max: int) -> str | None:
    """Return the text of the page, or None if it is more than that."""
    import pypdfium2

    try:
        text_page = document[index].get_textpage()
        # Asked first, because pdfium makes the whole text in one piece.
        if text_page.count_chars() > characters_max:
            return None
        text: str = text_page.get_text_bounded()
    except pypdfium2.PdfiumError as error:
        raise DocumentFault(f"is a PDF whose page {index + 1} is damaged.") from error
    lines = text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "").split("\n")
    return "\n".join(line.rstrip() for line in lines).strip("\n")


if __name__ == "__main__":
    main()
