"""Reads documents to text, a bounded number at a time, and remembers what it has read.

    bytes ──▶ charset ──▶ text                    text, XML, source code, in a thread
          └─▶ child process ──▶ text              HTML, PDF, whose parsers can be led astray

The lines of a batch often name one file: its text, or why it has none, is kept under a key that
the caller gives, until younger texts need the room.
"""

import asyncio
import math
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable

from toplu.documents.child import ChildOrder, too_long
from toplu.documents.child_process import read_in_child
from toplu.documents.fault import DocumentFault
from toplu.documents.media_type import MediaType, Reading
from toplu.documents.plain_text import decode
from toplu.settings import Settings

PDF_MARK = b"%PDF-"
PDF_MARK_WITHIN_BYTES = 1024
FAULT_CHARACTERS = 256  # what a remembered fault counts for

Fetch = Callable[[], Awaitable[bytes]]


class DocumentReader:
    """Makes text of documents for every request of a server."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._places = asyncio.Semaphore(settings.document_readers_max)
        self._kept: OrderedDict[Hashable, str | DocumentFault] = OrderedDict()
        self._kept_characters = 0

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
        bytes_max = self._settings.document_bytes_max
        if size_bytes > bytes_max:
            raise DocumentFault(f"has {size_bytes} bytes; at most {bytes_max} are read.")
        own_key = None if key is None else (key, media_type)
        if (kept := self._recall(own_key)) is None:
            async with self._places:
                # Whoever had the place before may have read the same.
                if (kept := self._recall(own_key)) is None:
                    kept = await self._outcome(media_type, await fetch())
                    self._keep(own_key, kept)
        if isinstance(kept, DocumentFault):
            # A new one: an exception grows with each place that it is raised at.
            raise DocumentFault(kept.message, unserved=kept.unserved)
        return kept

    async def _outcome(self, media_type: MediaType, data: bytes) -> str | DocumentFault:
        try:
            return await self._read(media_type, data)
        except DocumentFault as fault:
            return fault

    async def _read(self, media_type: MediaType, data: bytes) -> str:
        characters_max = self._settings.document_characters_max
        is_pdf = PDF_MARK in data[:PDF_MARK_WITHIN_BYTES]
        if media_type.reading is Reading.PDF:
            if not is_pdf:
                raise DocumentFault(f"is not {media_type.name}.")
            return await read_in_child(self._order(Reading.PDF, data), data)
        if data.startswith(PDF_MARK):
            raise DocumentFault(f"is not {media_type.name}: it is a PDF.")
        text = await asyncio.to_thread(decode, data, media_type)
        if media_type.reading is Reading.HTML:
            page = text.encode()
            return await read_in_child(self._order(Reading.HTML, page), page)
        if len(text) > characters_max:
            raise too_long(characters_max)
        return text

    def _order(self, reading: Reading, data: bytes) -> ChildOrder:
        return ChildOrder(
            reading=reading,
            size_bytes=len(data),
            pages_max=self._settings.document_pages_max,
            characters_max=self._settings.document_characters_max,
            memory_bytes_max=self._settings.document_memory_bytes_max,
            cpu_seconds_max=math.ceil(self._settings.document_seconds_max),
        )

    def _recall(self, key: Hashable | None) -> str | DocumentFault | None:
        if key not in self._kept:
            return None
        self._kept.move_to_end(key)
        return self._kept[key]

    def _keep(self, key: Hashable | None, outcome: str | DocumentFault) -> None:
        if key is None or (isinstance(outcome, DocumentFault) and outcome.passing):
            return
        self._kept[key] = outcome
        self._kept_characters += _weight(outcome)
        while self._kept_characters > self._settings.documents_kept_characters_max:
            _, forgotten = self._kept.popitem(last=False)
            self._kept_characters -= _weight(forgotten)


def _weight(outcome: str | DocumentFault) -> int:
    return FAULT_CHARACTERS + (len(outcome) if isinstance(outcome, str) else 0)
