r"""The process in which hostile documents are read: it limits itself, reads one, and ends.

    stdin    {"type": …, limits}\n then the bytes
    stdout   {"pieces": …}, {"image": …} or {"fault": …}, one line

It is a program of its own so that a bomb, a hang or a crash inside a parser costs one document.
"""

import contextlib
import resource
import sys

import msgspec

from toplu.documents.fault import DocumentFault
from toplu.documents.formats.pdf import PdfReader, ScanOrder, too_long
from toplu.documents.image import PlainImage, read_image
from toplu.documents.image_type import ImageType
from toplu.documents.media_type import Reading


class ChildOrder(msgspec.Struct, frozen=True, kw_only=True):
    """The thing to read, with the limits on it."""

    size_bytes: int
    memory_bytes_max: int
    cpu_seconds_max: int


class DocumentOrder(ChildOrder, frozen=True, kw_only=True, tag="document"):
    """A document, for its text, and for its pages that have none."""

    reading: Reading
    pages_max: int
    characters_max: int
    scans: ScanOrder = ScanOrder()


class ImageOrder(ChildOrder, frozen=True, kw_only=True, tag="image"):
    """An image, to be written again."""

    media_type: ImageType
    pixels_max: int
    side_max: int


class ChildAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The text, with the pages between that are shown, or the image; or why there is none."""

    pieces: list[str | PlainImage] | None = None
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
        return ChildAnswer(pieces=_read(order, data))
    image = read_image(data, order.media_type, pixels_max=order.pixels_max, side_max=order.side_max)
    return ChildAnswer(image=image)


def _read(order: DocumentOrder, data: bytes) -> list[str | PlainImage]:
    if order.reading is Reading.HTML:
        from toplu.documents.formats.web_page import read_page

        return [_within(order.characters_max, read_page(data.decode()))]
    if order.reading is Reading.RTF:
        from toplu.documents.formats.rich_text import read_rich_text

        return [_within(order.characters_max, read_rich_text(data))]
    reader = PdfReader(
        pages_max=order.pages_max, characters_max=order.characters_max, scans=order.scans
    )
    return reader.read(data)


def _within(characters_max: int, text: str) -> str:
    if len(text) > characters_max:
        raise too_long(characters_max)
    return text


if __name__ == "__main__":
    main()
