"""Reads documents to text.

bytes ──▶ charset ──▶ text                    text, XML, source code, in a thread
      └─▶ child process ──▶ text              HTML, PDF, RTF, whose parsers can be led astray
"""

import asyncio
import math
from collections.abc import Awaitable, Callable, Hashable

from toplu.documents.child import DocumentOrder, too_long
from toplu.documents.fault import DocumentFault
from toplu.documents.media_type import MediaType, Reading
from toplu.documents.plain_text import decode
from toplu.documents.reading_process import read_in_child
from toplu.documents.readings import Readings
from toplu.documents.rich_text import is_rich_text
from toplu.settings.server import Settings

PDF_MARK = b"%PDF-"
PDF_MARK_WITHIN_BYTES = 1024

Fetch = Callable[[], Awaitable[bytes]]


class DocumentReader:
    """Makes text of documents for every request of a server."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._texts = Readings[str](
            bytes_max=settings.document_bytes_max,
            readers_max=settings.document_readers_max,
            weight_max=settings.documents_kept_characters_max,
            weight_of=len,
        )

    async def read(
        self,
        media_type: MediaType,
        size_bytes: int,
        fetch: Fetch,
        *,
        key: Hashable | None = None,
    ) -> str:
        """Return the text of a document, or raise DocumentFault.

        The bytes are fetched when there is a place to read them. Calls with an equal key, where
        one is given, are for the same bytes.
        """
        own_key = None if key is None else (key, media_type)

        async def read() -> str:
            return await self._read(media_type, await fetch())

        return await self._texts.read(own_key, size_bytes, read)

    async def _read(self, media_type: MediaType, data: bytes) -> str:
        characters_max = self._settings.document_characters_max
        is_pdf = PDF_MARK in data[:PDF_MARK_WITHIN_BYTES]
        if media_type.reading is Reading.PDF:
            if not is_pdf:
                raise DocumentFault(f"is not {media_type.name}.")
            return await read_in_child(self._order(Reading.PDF, data), data)
        if media_type.reading is Reading.RTF:
            if not is_rich_text(data):
                raise DocumentFault(f"is not {media_type.name}.")
            return await read_in_child(self._order(Reading.RTF, data), data)
        if data.startswith(PDF_MARK):
            raise DocumentFault(f"is not {media_type.name}: it is a PDF.")
        text = await asyncio.to_thread(decode, data, media_type)
        if media_type.reading is Reading.HTML:
            page = text.encode()
            return await read_in_child(self._order(Reading.HTML, page), page)
        if len(text) > characters_max:
            raise too_long(characters_max)
        return text

    def _order(self, reading: Reading, data: bytes) -> DocumentOrder:
        return DocumentOrder(
            reading=reading,
            size_bytes=len(data),
            pages_max=self._settings.document_pages_max,
            characters_max=self._settings.document_characters_max,
            memory_bytes_max=self._settings.document_memory_bytes_max,
            cpu_seconds_max=math.ceil(self._settings.document_seconds_max),
        )
