"""Reads documents to text, and pages of PDFs that have none to pictures.

bytes ──▶ charset ──▶ text                    text, XML, source code, in a thread
      └─▶ child process ──▶ text, pictures    HTML, PDF, RTF, whose parsers can be led astray
"""

import asyncio
import math
from collections.abc import Awaitable, Callable, Hashable

from toplu.documents.child import DocumentOrder
from toplu.documents.fault import DocumentFault
from toplu.documents.formats.pdf import ScanOrder, Scans, too_long
from toplu.documents.formats.rich_text import is_rich_text
from toplu.documents.media_type import MediaType, Reading
from toplu.documents.plain_text import decode
from toplu.documents.reading_process import Pieces, read_in_child
from toplu.documents.readings import Readings, check_size
from toplu.settings.server import Settings

PDF_MARK = b"%PDF-"
PDF_MARK_WITHIN_BYTES = 1024

Fetch = Callable[[], Awaitable[bytes]]


class DocumentReader:
    """Makes text of documents for every request of a server."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._documents = Readings[Pieces](
            bytes_max=settings.document_bytes_max,
            readers_max=settings.document_readers_max,
            weight_max=settings.documents_kept_characters_max,
            weight_of=_weight,
        )

    async def read(
        self,
        media_type: MediaType,
        size_bytes: int,
        fetch: Fetch,
        *,
        key: Hashable | None = None,
        shown_side: int | None = None,
    ) -> Pieces:
        """Return the text of a document, or raise DocumentFault.

        Pages of a PDF without text are shown, with that longer side, to a model that sees; to
        others, for which it is None, they are read by OCR where it is set up.

        The bytes are fetched when there is a place to read them. Calls with an equal key, where
        one is given, are for the same bytes.
        """
        own_key = None if key is None else (key, media_type, shown_side)
        scans = self._scans(shown_side)

        async def read() -> Pieces:
            data = await fetch()
            check_size(len(data), self._settings.document_bytes_max)
            return await self._read(media_type, data, scans)

        return await self._documents.read(own_key, size_bytes, read)

    async def _read(self, media_type: MediaType, data: bytes, scans: ScanOrder) -> Pieces:
        characters_max = self._settings.document_characters_max
        is_pdf = PDF_MARK in data[:PDF_MARK_WITHIN_BYTES]
        if media_type.reading is Reading.PDF:
            if not is_pdf:
                raise DocumentFault(f"is not {media_type.name}.")
            return await read_in_child(self._order(Reading.PDF, data, scans), data)
        if media_type.reading is Reading.RTF:
            if not is_rich_text(data):
                raise DocumentFault(f"is not {media_type.name}.")
            return await read_in_child(self._order(Reading.RTF, data, scans), data)
        if data.startswith(PDF_MARK):
            raise DocumentFault(f"is not {media_type.name}: it is a PDF.")
        text = await asyncio.to_thread(decode, data, media_type)
        if media_type.reading is Reading.HTML:
            page = text.encode()
            return await read_in_child(self._order(Reading.HTML, page, scans), page)
        if len(text) > characters_max:
            raise too_long(characters_max)
        return (text,)

    def _scans(self, shown_side: int | None) -> ScanOrder:
        settings = self._settings
        if shown_side is not None:
            return ScanOrder(
                way=Scans.SHOWN,
                side_max=shown_side,
                shown_max=settings.request_images_max,
                shown_bytes_max=settings.request_image_bytes_max,
            )
        if settings.ocr == "tesseract":
            return ScanOrder(
                way=Scans.RECOGNIZED,
                languages=settings.ocr_languages,
                seconds_more=settings.ocr_seconds_max,
            )
        return ScanOrder()

    def _order(self, reading: Reading, data: bytes, scans: ScanOrder) -> DocumentOrder:
        return DocumentOrder(
            reading=reading,
            size_bytes=len(data),
            pages_max=self._settings.document_pages_max,
            characters_max=self._settings.document_characters_max,
            memory_bytes_max=self._settings.document_memory_bytes_max,
            cpu_seconds_max=math.ceil(self._settings.document_seconds_max),
            scans=scans,
        )


def _weight(pieces: Pieces) -> int:
    return sum(len(it) if isinstance(it, str) else len(it.data) for it in pieces)
