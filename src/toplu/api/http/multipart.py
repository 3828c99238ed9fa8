"""Reads a `multipart/related` (or form) upload as it arrives: metadata first, then the bytes."""

from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass

from python_multipart.exceptions import FormParserError, MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header

from toplu.errors import InvalidArgument, UnsupportedEncoding

METADATA_BYTES_MAX = 64 * 1024
HEADER_BYTES_MAX = 8 * 1024

# Headers that say how bytes inside a body are encoded, and the values that leave them as they are.
PLAIN_ENCODINGS = {
    "content-encoding": {"", "identity"},
    "x-goog-upload-header-content-encoding": {"", "identity"},
    "content-transfer-encoding": {"", "binary", "8bit", "7bit"},
}


def check_not_encoded(name: str, value: str) -> None:
    """Raise UnsupportedEncoding if a header says that the bytes of a file are encoded."""
    plain = PLAIN_ENCODINGS.get(name.lower())
    if plain is not None and value.strip().lower() not in plain:
        raise UnsupportedEncoding(
            f'{name} "{value}" is not supported: send the bytes of the file as they are. '
            "The body as a whole may have a Content-Encoding, gzip or deflate."
        )


@dataclass(slots=True)
class _Part:
    content_type: str
    pieces: deque[bytes]
    is_complete: bool = False


class MultipartUpload:
    """A two-part body: a JSON message, then a file, which is never held as a whole."""

    def __init__(self, content_type: str, body: AsyncIterator[bytes]) -> None:
        _, options = parse_options_header(content_type)
        boundary = options.get(b"boundary")
        if not boundary:
            raise InvalidArgument("The Content-Type of a multipart upload must name a boundary.")
        self._body = body
        self._parts: list[_Part] = []
        self._metadata_bytes = 0
        self._header = (bytearray(), bytearray())
        self._content_type = ""
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._begin_part,
                    "on_header_field": self._add_header_field,
                    "on_header_value": self._add_header_value,
                    "on_header_end": self._end_header,
                    "on_headers_finished": self._open_part,
                    "on_part_data": self._add_data,
                    "on_part_end": self._end_part,
                },
            )
        except FormParserError as error:
            raise InvalidArgument(f"The multipart body cannot be read: {error}") from error

    async def metadata(self) -> bytes:
        """Return the first part."""
        while not (self._parts and self._parts[0].is_complete):
            await self._feed()
        return b"".join(self._parts[0].pieces)

    async def file_type(self) -> str:
        """Return the content type of the second part; empty if it has none."""
        while len(self._parts) < 2:  # noqa: PLR2004  # metadata and file
            await self._feed()
        return self._parts[1].content_type

    async def file(self) -> AsyncIterator[bytes]:
        """Yield the bytes of the second part."""
        await self.file_type()
        part = self._parts[1]
        while True:
            while part.pieces:
                yield part.pieces.popleft()
            if part.is_complete:
                return
            await self._feed()

    async def _feed(self) -> None:
        try:
            chunk = await anext(self._body)
            self._parser.write(chunk)
        except StopAsyncIteration:
            raise InvalidArgument(
                "A multipart upload has two parts, metadata and file; the body ends before."
            ) from None
        except MultipartParseError as error:
            raise InvalidArgument(f"The multipart body is malformed: {error}") from error

    def _begin_part(self) -> None:
        self._content_type = ""

    def _add_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header[0].extend(data[start:end])
        self._check_header()

    def _add_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header[1].extend(data[start:end])
        self._check_header()

    def _check_header(self) -> None:
        if len(self._header[0]) + len(self._header[1]) > HEADER_BYTES_MAX:
            raise InvalidArgument("A header of the multipart body is too long.")

    def _end_header(self) -> None:
        name, value = (bytes(half).decode("latin-1") for half in self._header)
        if name.lower() == "content-type":
            self._content_type = value
        check_not_encoded(name, value)
        self._header = (bytearray(), bytearray())

    def _open_part(self) -> None:
        if len(self._parts) == 2:  # noqa: PLR2004  # metadata and file
            raise InvalidArgument("A multipart upload has two parts; this one has more.")
        self._parts.append(_Part(content_type=self._content_type, pieces=deque()))

    def _add_data(self, data: bytes, start: int, end: int) -> None:
        if len(self._parts) == 1:
            self._metadata_bytes += end - start
            if self._metadata_bytes > METADATA_BYTES_MAX:
                raise InvalidArgument(
                    f"The metadata of an upload may have {METADATA_BYTES_MAX} bytes at most."
                )
        self._parts[-1].pieces.append(data[start:end])

    def _end_part(self) -> None:
        self._parts[-1].is_complete = True
