"""Reads multipart bodies as they arrive: a file among them is never held as a whole.

multipart/related      metadata, then a file: `MultipartUpload`
multipart/form-data    fields and one file, in any order: `FormUpload`
"""

from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass

from python_multipart.exceptions import FormParserError, MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header

from toplu.errors import InvalidArgument, UnsupportedEncoding

METADATA_BYTES_MAX = 64 * 1024
HEADER_BYTES_MAX = 8 * 1024
HEADERS_MAX = 32  # of one part
FORM_PARTS_MAX = 32

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
class Part:
    """One part, as far as it has come."""

    content_type: str  # empty if it has none
    name: str | None  # of a form
    filename: str | None
    pieces: deque[bytes]
    size_bytes: int = 0
    is_complete: bool = False


class MultipartReader:
    """The parts of a body; `feed` reads on."""

    def __init__(self, content_type: str, body: AsyncIterator[bytes], *, parts_max: int) -> None:
        _, options = parse_options_header(content_type)
        boundary = options.get(b"boundary")
        if not boundary:
            raise InvalidArgument("The Content-Type of a multipart upload must name a boundary.")
        self.parts: list[Part] = []
        self._body = body
        self._parts_max = parts_max
        self._header = (bytearray(), bytearray())
        self._headers: dict[str, str] = {}
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

    async def feed(self) -> bool:
        """Read a piece of the body; False: there is no more."""
        try:
            chunk = await anext(self._body)
            self._parser.write(chunk)
        except StopAsyncIteration:
            return False
        except MultipartParseError as error:
            raise InvalidArgument(f"The multipart body is malformed: {error}") from error
        return True

    async def stream(self, part: Part) -> AsyncIterator[bytes]:
        """Yield the bytes of a part."""
        while True:
            while part.pieces:
                yield part.pieces.popleft()
            if part.is_complete:
                return
            if not await self.feed():
                raise InvalidArgument("The multipart body ends before the last of its parts does.")

    def is_bounded(self, part: Part) -> bool:
        """Return whether the part is one that is held as a whole."""
        raise NotImplementedError

    def _begin_part(self) -> None:
        self._headers = {}

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
        self._headers[name.lower()] = value
        if len(self._headers) > HEADERS_MAX:
            raise InvalidArgument("A part of the multipart body has too many headers.")
        check_not_encoded(name, value)
        self._header = (bytearray(), bytearray())

    def _open_part(self) -> None:
        if len(self.parts) == self._parts_max:
            raise InvalidArgument(
                f"The multipart body may have {self._parts_max} parts; this one has more."
            )
        _, options = parse_options_header(self._headers.get("content-disposition", ""))
        self.parts.append(
            Part(
                content_type=self._headers.get("content-type", ""),
                name=_text(options.get(b"name")),
                filename=_text(options.get(b"filename")),
                pieces=deque(),
            )
        )

    def _add_data(self, data: bytes, start: int, end: int) -> None:
        part = self.parts[-1]
        part.size_bytes += end - start
        held = sum(each.size_bytes for each in self.parts if self.is_bounded(each))
        if held > METADATA_BYTES_MAX:
            raise InvalidArgument(
                f"The metadata of an upload may have {METADATA_BYTES_MAX} bytes at most."
            )
        part.pieces.append(data[start:end])

    def _end_part(self) -> None:
        self.parts[-1].is_complete = True


class MultipartUpload(MultipartReader):
    """A two-part body: a JSON message, then a file."""

    def __init__(self, content_type: str, body: AsyncIterator[bytes]) -> None:
        super().__init__(content_type, body, parts_max=2)

    def is_bounded(self, part: Part) -> bool:
        """Return whether it is the message."""
        return part is self.parts[0]

    async def metadata(self) -> bytes:
        """Return the first part."""
        while not (self.parts and self.parts[0].is_complete):
            await self._feed()
        return b"".join(self.parts[0].pieces)

    async def file_type(self) -> str:
        """Return the content type of the second part; empty if it has none."""
        while len(self.parts) < 2:  # noqa: PLR2004  # metadata and file
            await self._feed()
        return self.parts[1].content_type

    async def file(self) -> AsyncIterator[bytes]:
        """Yield the bytes of the second part."""
        await self.file_type()
        async for piece in self.stream(self.parts[1]):
            yield piece

    async def _feed(self) -> None:
        if not await self.feed():
            raise InvalidArgument(
                "A multipart upload has two parts, metadata and file; the body ends before."
            )


class FormUpload(MultipartReader):
    """A form with one file, the part `file`, and fields before or behind it."""

    def __init__(self, content_type: str, body: AsyncIterator[bytes]) -> None:
        super().__init__(content_type, body, parts_max=FORM_PARTS_MAX)

    def is_bounded(self, part: Part) -> bool:
        """Return whether it is a field."""
        return not _is_file(part)

    async def find_file(self) -> Part | None:
        """Return the file once it begins; None if the body ends without one."""
        while (found := next(filter(_is_file, self.parts), None)) is None:
            if not await self.feed():
                return None
        return found

    async def fields(self) -> dict[str, str]:
        """Return the fields, those behind the file as well, when it has been read."""
        while await self.feed():
            pass
        return {
            part.name or "": b"".join(part.pieces).decode("utf-8", "replace")
            for part in self.parts
            if not _is_file(part)
        }


def _is_file(part: Part) -> bool:
    return part.name == "file"


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("utf-8", "replace")
