"""Finds the lines of a batch file."""

from collections.abc import AsyncIterator

import msgspec

_BOM = b"\xef\xbb\xbf"
_CARRIAGE_RETURN, _SPACE = b"\r "
# Escapes of the letters from a to z.
_LETTERS = (b"\\u006", b"\\u007")


class LineSpan(msgspec.Struct, frozen=True, gc=False):
    """The place of a line; a msgspec struct, for a file has millions of them."""

    offset: int
    length: int  # in bytes, without the line end
    number: int  # of the line in the file, from 1, blank ones counted


class LineSplitter:
    r"""Finds the lines of a file that passes by in chunks, and keeps none of its bytes.

    Blank lines are skipped; `\r\n`, a byte order mark and a missing last line end are taken.
    """

    def __init__(self) -> None:
        self._head: bytes | None = b""  # the first bytes, until they are known to be no BOM
        self._position = 0  # of the next chunk in the file
        self._line_start = 0
        self._number = 1
        self._has_text = False  # something but white space in the line so far
        self._ends_with_return = False

    def feed(self, chunk: bytes) -> list[LineSpan]:
        """Take the next bytes and return the lines that end in them."""
        if self._head is not None:
            chunk = self._head + chunk
            if len(chunk) < len(_BOM):
                self._head = chunk
                return []
            self._head = None
            if chunk.startswith(_BOM):
                chunk = chunk[len(_BOM) :]
                self._position = self._line_start = len(_BOM)
        return self._split(chunk) if chunk else []

    def finish(self) -> list[LineSpan]:
        """Return the last line, if no line end follows it."""
        spans = self._split(self._head) if self._head else []
        self._head = None
        if self._has_text:
            spans.append(self._span_to(self._position - self._ends_with_return))
        self._has_text = False
        return spans

    def _split(self, chunk: bytes) -> list[LineSpan]:
        spans: list[LineSpan] = []
        find, position = chunk.find, self._position
        end = find(b"\n")
        if end < 0:
            self._continue_line(chunk)
            return spans
        self._continue_line(chunk[:end])
        if self._has_text:
            spans.append(self._span_to(self._position - self._ends_with_return))
        number, start = self._number + 1, end + 1
        while (end := find(b"\n", start)) >= 0:
            # Most lines begin with text, which spares the copy that `isspace` works on.
            if chunk[start] > _SPACE or not (chunk[start:end] or b" ").isspace():
                length = end - start - (chunk[end - 1] == _CARRIAGE_RETURN)
                spans.append(LineSpan(position + start, length, number))
            number, start = number + 1, end + 1
        self._position = self._line_start = position + start
        self._number = number
        self._has_text = False
        self._continue_line(chunk[start:])
        return spans

    def _continue_line(self, piece: bytes) -> None:
        if piece:
            self._has_text = self._has_text or not piece.isspace()
            self._ends_with_return = piece[-1] == _CARRIAGE_RETURN
            self._position += len(piece)

    def _span_to(self, end: int) -> LineSpan:
        return LineSpan(self._line_start, end - self._line_start, self._number)


def may_name(field: bytes, line: bytes) -> bool:
    """Return whether the line may have the field, of letters from a to z, in whatever spelling."""
    return b'"%s"' % field in line or any(letter in line for letter in _LETTERS)


async def whole_lines(pieces: AsyncIterator[bytes]) -> AsyncIterator[list[bytes]]:
    """Yield the lines of a file that comes in pieces, those together that end in one piece."""
    rest = b""
    async for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        if lines:
            yield lines
    if rest:
        yield [rest]
