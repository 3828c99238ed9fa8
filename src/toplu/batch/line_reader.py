"""Consecutive lines of an input, taken in groups of bounded size and read in one piece."""

from collections.abc import AsyncIterator, Callable

from toplu.store.blobs.blobs import Blobs
from toplu.wire.gemini.line_splitter import LineSpan, LineSplitter


class LineGroup:
    """Consecutive lines, bounded in number and bytes; a line beyond the bound stands alone."""

    def __init__(self, *, lines_max: int, bytes_max: int) -> None:
        self._lines_max = lines_max
        self._bytes_max = bytes_max
        self._bytes = 0
        self.spans: list[LineSpan] = []

    def has_room(self, span: LineSpan) -> bool:
        """Return whether the line may still be added; an empty group takes any line."""
        if not self.spans:
            return True
        return len(self.spans) < self._lines_max and self._bytes + span.length <= self._bytes_max

    def add(self, span: LineSpan) -> None:
        self.spans.append(span)
        self._bytes += span.length

    def take(self) -> list[LineSpan]:
        """Return the lines and begin an empty group."""
        spans, self.spans, self._bytes = self.spans, [], 0
        return spans


def every(_: int) -> bool:
    """Want every line."""
    return True


async def span_groups(
    blobs: Blobs,
    blob: str,
    *,
    lines_max: int,
    bytes_max: int,
    wants: Callable[[int], bool] = every,
) -> AsyncIterator[list[LineSpan]]:
    """Yield the lines of a blob in groups; `wants` chooses by the index of the request, from 0."""
    splitter = LineSplitter()
    group = LineGroup(lines_max=lines_max, bytes_max=bytes_max)
    index = 0
    async for spans in _spans(blobs, blob, splitter):
        for span in spans:
            if wants(index):
                if not group.has_room(span):
                    yield group.take()
                group.add(span)
            index += 1
    if group.spans:
        yield group.take()


async def _spans(blobs: Blobs, blob: str, splitter: LineSplitter) -> AsyncIterator[list[LineSpan]]:
    async for chunk in blobs.stream(blob):
        yield splitter.feed(chunk)
    yield splitter.finish()


async def read_lines(
    blobs: Blobs, blob: str, spans: list[LineSpan], line_bytes_max: int
) -> list[bytes | None]:
    """Return the bytes of a group of lines, None for a line that is too long to be read."""
    readable = [span for span in spans if span.length <= line_bytes_max]
    if not readable:
        return [None] * len(spans)
    start = readable[0].offset
    end = readable[-1].offset + readable[-1].length
    data = memoryview(await blobs.read(blob, start, end - start))
    return [
        bytes(data[span.offset - start : span.offset - start + span.length])
        if span.length <= line_bytes_max
        else None
        for span in spans
    ]
