"""Orders the requests of an input and cuts the order into shards, in bounded memory.

    line ──▶ key, digest ──▶ sorter ──▶ neighbours compared ──▶ record ──▶ shards

Blocking, and pure but for the files it is given: the planner calls it in a thread for little
input, and `batch.plan.ordering_child` in a process of its own for more.
"""

import itertools
import operator
import os
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO, Protocol, Self

import msgspec

from toplu.batch.line_formats import FORMS
from toplu.batch.plan.external_sort import ExternalSort
from toplu.batch.plan.order import OrderEntry, pack
from toplu.batch.plan.shard_cutter import ShardBounds, cut_shards
from toplu.batch.plan.sort_key import (
    DIGEST_BYTES,
    UNREADABLE,
    digest_of,
    key_of,
    shared_bytes,
    unique_digest,
)
from toplu.errors import InvalidArgument
from toplu.job import Method
from toplu.settings.model import ModelSettings
from toplu.settings.server import Deduplication, Settings
from toplu.wire.gemini.after import waiting_of
from toplu.wire.gemini.line_splitter import LineSpan, LineSplitter

# The index of a request, where its line lies, and the line; None: it is too long to be read.
InputLine = tuple[int, LineSpan, bytes | None]

PIECE_BYTES = 1024 * 1024
# Input that ends within this is planned as a whole, at once and beside the event loop.
WHOLE_BYTES = 1024 * 1024
# So is longer input of few requests: its head would be a large part of it. It is read to here.
WHOLE_REQUESTS = 2048
WHOLE_FACTOR = 8
# Of larger input the first requests run before the rest is ordered. They cannot share with the
# rest, so that they are few: some for each lane, or one in a hundred, to last until then.
HEAD_REQUESTS_PER_LANE = 2
HEAD_SHARE = 100
HEAD_REQUESTS_MAX = 4096
# In the sorter an item is: key, END, digest, PLACE. An end that is lower than all text keeps the
# order of the keys.
END = b"\x00"
PLACE = struct.Struct(">IQII")
PLACE_PART = slice(-PLACE.size, None)
DIGEST_PART = slice(-PLACE.size - DIGEST_BYTES, -PLACE.size)
KEY_PART = slice(None, -PLACE.size - DIGEST_BYTES - len(END))


class Planned(Protocol):
    """The parts of a job that its plan depends on."""

    @property
    def method(self) -> Method: ...

    @property
    def model(self) -> str: ...

    @property
    def engine(self) -> str: ...


class PlanRules(msgspec.Struct, frozen=True, kw_only=True):
    """The rules that a plan follows, beside the input."""

    method: Method
    batch_model: str  # the name that the batch asked for, without `models/`
    model: ModelSettings | None  # None: it is in the catalogue no more
    deduplication: Deduplication
    requests_max: int  # of the job
    line_bytes_max: int
    shard_requests_max: int
    shard_bytes_max: int

    @classmethod
    def of(cls, settings: Settings, job: Planned) -> Self:
        """Return the rules for a job, be it only about to be one."""
        return cls(
            method=job.method,
            batch_model=job.model,
            model=next((model for model in settings.models if model.name == job.engine), None),
            deduplication=settings.deduplication,
            requests_max=settings.job_requests_max,
            line_bytes_max=settings.line_bytes_max,
            shard_requests_max=settings.shard_requests_max,
            shard_bytes_max=settings.shard_bytes_max,
        )

    @property
    def lanes(self) -> int:
        return 1 if self.model is None else self.model.caches

    def bounds(self, total: int) -> ShardBounds:
        """Return the bounds of shards of so many requests."""
        return ShardBounds.of(
            total=total,
            lanes=self.lanes,
            requests_max=self.shard_requests_max,
            bytes_max=self.shard_bytes_max,
        )


def read_lines(file: BinaryIO, line_bytes_max: int) -> Iterator[tuple[LineSpan, bytes | None]]:
    """Yield the lines that are not blank; None for one that is too long to be read."""
    splitter = LineSplitter()
    position = 0
    ended = False
    while not ended:
        file.seek(position)
        piece = file.read(PIECE_BYTES)
        position += len(piece)
        ended = not piece
        spans = splitter.finish() if ended else splitter.feed(piece)
        readable = [span for span in spans if span.length <= line_bytes_max]
        if not readable:
            yield from ((span, None) for span in spans)
            continue
        start = readable[0].offset
        file.seek(start)
        # All but the first lie in the piece, so that this is bounded by a line and a piece.
        data = file.read(readable[-1].offset + readable[-1].length - start)
        for span in spans:
            if span.length > line_bytes_max:
                yield span, None
            else:
                yield span, data[span.offset - start : span.offset - start + span.length]


def read_requests(file: BinaryIO, line_bytes_max: int, carried: bytes) -> Iterator[InputLine]:
    """Yield the lines of requests that are to run, each with its index; `carried` marks others."""
    for index, (span, line) in enumerate(read_lines(file, line_bytes_max)):
        if not (carried and carried[index]):
            yield index, span, line


class Ordering:
    """The requests of one input, or of a part of it, on their way into order."""

    def __init__(self, rules: PlanRules, sorter: ExternalSort, first: int = 0) -> None:
        self._rules = rules
        self._sorter = sorter
        self._read_request = FORMS[rules.method].read_request
        self._digest_of = partial(
            digest_of,
            batch_model=rules.batch_model,
            model=rules.model,
            deduplication=rules.deduplication,
        )
        self._first = first
        self.total = first  # requests that are to run so far, those before `first` included

    @property
    def too_many(self) -> InvalidArgument:
        """The error of an input with more requests than a batch may have."""
        return InvalidArgument(f"A batch may have {self._rules.requests_max} requests at most.")

    def add(self, index: int, span: LineSpan, line: bytes | None) -> None:
        """Take the next line, and which request of the job it is."""
        if self.total == self._rules.requests_max:
            raise self.too_many
        key, digest = UNREADABLE, None
        if line is not None:
            try:
                request = self._read_request(line, span.number)
            except InvalidArgument:
                pass  # it gets its error when its turn comes
            else:
                key, digest = key_of(request), self._digest_of(request)
        digest = digest or unique_digest(index)
        place = PLACE.pack(index, span.offset, span.length, span.number)
        self._sorter.add(b"".join((key, END, digest, place)))
        self.total += 1

    def places(self) -> Iterator[list[OrderEntry]]:
        """Yield the places in the order of execution, some at a time; once, after the last line."""
        last_key, last_digest = b"", b""
        for items in self._sorter.in_order():
            keys = [item[KEY_PART] for item in items]
            digests = [item[DIGEST_PART] for item in items]
            places = PLACE.iter_unpack(b"".join([item[PLACE_PART] for item in items]))
            shares = shared_bytes(last_key, keys)
            duplicates = map(operator.eq, itertools.chain((last_digest,), digests), digests)
            last_key, last_digest = keys[-1], digests[-1]
            yield [
                OrderEntry(index, offset, length, number, shared, is_duplicate)
                for (index, offset, length, number), shared, is_duplicate in zip(
                    places, shares, duplicates, strict=False
                )
            ]


def unmoved(places: list[OrderEntry]) -> list[OrderEntry]:
    """Leave lines where they are."""
    return places


def cut(
    ordering: Ordering,
    first: int,
    rules: PlanRules,
    write: Callable[[bytes], object],
    moved: Callable[[list[OrderEntry]], list[OrderEntry]] = unmoved,
) -> list[int]:
    """Write the records of the places in order; return the sizes of the shards.

    `moved` may put the lines elsewhere and returns where they lie then.
    """

    def written() -> Iterator[OrderEntry]:
        for places in ordering.places():
            write(pack(moved(places)))
            yield from places

    return list(cut_shards(written(), rules.bounds(ordering.total - first)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The order of the first requests of an input, or of all."""

    order: bytes  # records
    shards: list[int]  # the size of each
    is_whole: bool


def head_bytes_max(rules: PlanRules) -> int:
    """Return how much of an input `plan_head` reads at most."""
    return WHOLE_BYTES * WHOLE_FACTOR + rules.line_bytes_max + 2 * PIECE_BYTES


def plan_head(
    path: Path, rules: PlanRules, carried: bytes = b"", size_bytes: int | None = None
) -> Head:
    """Return the order of the whole input, or of its first requests if it is large.

    Lines that wait for others are in no order yet, and an input that has some is not whole.
    `carried` has a byte for each request, 1 for one that is not to run. `size_bytes` is that of the
    input, where the file has but `head_bytes_max` of it.
    """
    lines: list[InputLine] = []
    is_cut = is_waiting = False
    with path.open("rb") as file:
        here_bytes = os.fstat(file.fileno()).st_size
        size_bytes = here_bytes if size_bytes is None else size_bytes
        for index, span, line in read_requests(file, rules.line_bytes_max, carried):
            room = WHOLE_BYTES
            if len(lines) < WHOLE_REQUESTS:
                room *= WHOLE_FACTOR
            if (lines or is_waiting) and span.offset >= room:
                is_cut = True
                break
            if line is not None and waiting_of(line) is not None:
                is_waiting = True
            else:
                lines.append((index, span, line))
    # A line that is longer than what is here ends it, and is not the last one.
    is_cut = is_cut or here_bytes < size_bytes
    if is_cut and lines:
        del lines[_head_count(lines, size_bytes, rules) :]
    return _head_of(lines, rules, is_whole=not (is_cut or is_waiting))


def _head_count(lines: Sequence[InputLine], size_bytes: int, rules: PlanRules) -> int:
    """Return how many of the lines are the head of an input of so many bytes."""
    _, last, _ = lines[-1]
    expected = len(lines) * size_bytes // (last.offset + last.length)
    return max(HEAD_REQUESTS_PER_LANE * rules.lanes, min(HEAD_REQUESTS_MAX, expected // HEAD_SHARE))


def _head_of(lines: Sequence[InputLine], rules: PlanRules, *, is_whole: bool) -> Head:
    ordering = Ordering(rules, ExternalSort())
    for index, span, line in lines:
        ordering.add(index, span, line)
    records: list[bytes] = []
    shards = cut(ordering, 0, rules, records.append)
    if not (is_whole or shards):
        shards = [0]  # one without requests says that the job is begun
    return Head(order=b"".join(records), shards=shards, is_whole=is_whole)
