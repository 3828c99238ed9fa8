"""A screenful of the results of a batch, whatever its size and state, and a bounded search in them.

    SUCCEEDED ──▶ output, in input order        else ──▶ segments of the log, as the results came

A place is where a screenful begins: a byte of the output, or of a segment. It stays good while the
batch goes on.
"""

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from toplu.batch import paths
from toplu.errors import InvalidArgument, TopluError
from toplu.files.library import Library
from toplu.job import Job, JobState
from toplu.store.blobs.blobs import Blobs
from toplu.store.blobs.result_log import ResultLog, Segment
from toplu.store.blobs.results import Results
from toplu.store.rows.jobs import JobRows
from toplu.wire.gemini.line_splitter import whole_lines

ROWS = 25  # of a screenful
SCREEN_BYTES = 1024 * 1024  # of results without a search
SEARCHED_BYTES = 32 * 1024 * 1024  # in a search
REQUEST_BYTES = 64 * 1024 * 1024  # of the input, to find a request in
ERROR = b'{"error":'  # a result that is an error begins so
PLACE = re.compile(r"([0-9]{1,10})\.([0-9]{1,18})\.([0-9]{1,10})")


@dataclass(frozen=True, slots=True)
class Place:
    """The beginning of a screenful."""

    segment: int = 0  # among those of the log, in their order
    offset: int = 0  # bytes of it, or of the output
    passed: int = 0  # results before it

    @classmethod
    def of_text(cls, text: str) -> "Place":
        """Return the place that `str` wrote; InvalidArgument if it is none."""
        found = PLACE.fullmatch(text)
        if found is None:
            raise InvalidArgument("The place is not one that this server gave.")
        return cls(*map(int, found.groups()))

    def __str__(self) -> str:
        return f"{self.segment}.{self.offset}.{self.passed}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The results that are looked for."""

    failed_only: bool = False
    text: str = ""  # anywhere on the line; upper and lower case are the same

    @property
    def is_all(self) -> bool:
        return not self.failed_only and not self.text

    def accepts(self, line: bytes) -> bool:
        if self.failed_only and not line.startswith(ERROR):
            return False
        return not self.text or self._is_in(line)

    def _is_in(self, line: bytes) -> bool:
        needle = json.dumps(self.text, ensure_ascii=False)[1:-1].lower()
        if needle.isascii():  # which is searched many times faster
            return needle.encode() in line.lower()
        return needle in line.decode("utf-8", "replace").lower()


@dataclass(frozen=True, slots=True)
class Result:
    """One result: the number of its request, from 1, and its line."""

    number: int
    line: bytes


@dataclass(slots=True, kw_only=True)
class Screen:
    """A screenful."""

    results: list[Result] = field(default_factory=list)
    first: int  # of the results that were looked at, counted from 1
    last: int
    following: Place | None = None  # where the next one begins; None: there is none


class ResultBrowser:
    """Reads screenfuls."""

    def __init__(self, *, jobs: JobRows, blobs: Blobs, results: Results, library: Library) -> None:
        self._jobs = jobs
        self._blobs = blobs
        self._results = results
        self._library = library

    async def screen(self, job: Job, place: Place, wanted: Wanted) -> Screen:
        """Return the results from a place on, as many as are on a screen."""
        bytes_max = SCREEN_BYTES if wanted.is_all else SEARCHED_BYTES
        screen = Screen(first=place.passed + 1, last=place.passed)
        begun = 0
        async for result, behind, length in self._from(job, place):
            if len(screen.results) == ROWS or begun > bytes_max:
                screen.following = place
                break
            begun += length
            place = behind
            screen.last = place.passed
            if wanted.accepts(result.line):
                screen.results.append(result)
        return screen

    def _from(self, job: Job, place: Place) -> AsyncIterator[tuple[Result, Place, int]]:
        """Yield results with the place behind each, and its bytes."""
        if job.state is JobState.SUCCEEDED:
            return self._of_output(job, place)
        return self._of_log(job, place)

    async def _of_output(self, job: Job, place: Place) -> AsyncIterator[tuple[Result, Place, int]]:
        offset, number = place.offset, place.passed
        try:
            pieces = self._blobs.stream(paths.output_lines(job.id), offset)
            async for lines in whole_lines(pieces):
                for line in lines:
                    number += 1
                    offset += len(line) + 1
                    yield Result(number, line), Place(0, offset, number), len(line)
        except FileNotFoundError:
            return  # deleted meanwhile

    async def _of_log(self, job: Job, place: Place) -> AsyncIterator[tuple[Result, Place, int]]:
        segments = await self._jobs.segments(job.id)
        number, at = place.passed, place.offset
        for index, segment in enumerate(segments[place.segment :], start=place.segment):
            with contextlib.suppress(FileNotFoundError):  # gone meanwhile
                async with self._results.counted(job.id, [segment]) as log:
                    while records := await asyncio.to_thread(_some, log, segment, at):
                        for of_request, line, end in records:
                            number, at = number + 1, end
                            found = Result(of_request + 1, line)
                            yield found, Place(index, end, number), len(line)
            at = 0

    async def request(self, job: Job, number: int) -> bytes | None:
        """Return the line of a request, from 1; None: it is not kept, or too far into the input.

        An input goes when nothing of it can run again; the file that it came from may be there.
        """
        line = await self._line_of(paths.input_lines(job.id), number)
        if line is None and job.input_file is not None:
            with contextlib.suppress(TopluError):  # it has expired, or was deleted
                stored = await self._library.get(job.project, job.input_file)
                line = await self._line_of(stored.blob, number)
        return line

    async def _line_of(self, blob: str, number: int) -> bytes | None:
        passed, rest, read = 0, b"", 0
        try:
            async for piece in self._blobs.stream(blob):
                read += len(piece)
                *lines, rest = (rest + piece).split(b"\n")
                for line in lines:
                    passed += bool(line.strip())
                    if passed == number:
                        return line
                if read > REQUEST_BYTES:
                    return None
        except FileNotFoundError:
            return None
        return rest if rest.strip() and passed + 1 == number else None


def _some(results: ResultLog, segment: Segment, at: int) -> list[tuple[int, bytes, int]]:
    """Return some records from a place on; blocking."""
    records: list[tuple[int, bytes, int]] = []
    size_bytes = 0
    for record in results.records_behind(segment, at):
        records.append(record)
        size_bytes += len(record[1])
        if size_bytes > SCREEN_BYTES:
            break
    return records
