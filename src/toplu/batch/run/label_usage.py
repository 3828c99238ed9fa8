"""Sums by label what earlier holders of a shard used: usage from the log, labels from the lines.

The log has what each outcome used, the input which labels its request has; both are durable.
"""

from collections.abc import Mapping, Sequence

from toplu.batch.line_formats import FORMS
from toplu.batch.plan.order import RequestLine
from toplu.errors import InvalidArgument
from toplu.job import Method
from toplu.labels import Labels, LabelSums
from toplu.store.blobs.records import Entry
from toplu.wire.gemini.labels import labels_of
from toplu.wire.gemini.line_splitter import may_name


def sums_by_label(
    method: Method, lines: Sequence[RequestLine], finished: Mapping[int, Entry]
) -> LabelSums:
    """Return the sums of the finished requests, by the index of which the entries are; blocking."""
    sums = LabelSums()
    for line in lines:
        if line.line is not None and line.index in finished:
            sums.count(_labels_on(line.line, method), finished[line.index].usage)
    return sums


def _labels_on(line: bytes, method: Method) -> Labels | None:
    if not may_name(b"labels", line):
        return None
    try:
        return labels_of(FORMS[method].read(line, 1).request)
    except InvalidArgument:
        return None  # no request, so that it was counted without
