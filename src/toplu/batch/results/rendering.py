"""The results of an ended batch in another API's form, as files that are made when asked for.

    results, in input order ──▶ form ──┬──▶ output      lines that have a response
    input, of lines without any ──▶ ───┴──▶ errors      all others

A batch for several engines has a job for each, whose results are put together by the form. What was
made is kept beside the other bytes of its first job and goes with them. Making it twice makes the
same bytes, so that two who ask at once, and a crash, do no harm.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO, Protocol

from toplu.batch import paths
from toplu.batch.line_reader import read_lines, span_groups
from toplu.batch.lookup import MISSING
from toplu.batch.results.merging import merge
from toplu.batch.results.reader import Reading, ResultReader
from toplu.errors import NotFound
from toplu.job import Job
from toplu.settings.server import MIB, Settings
from toplu.store.blobs.blobs import Blobs

GROUP_LINES = 1024
GROUP_BYTES = 4 * MIB


class RenderedFile(StrEnum):
    """The files of a job."""

    OUTPUT = "output"
    ERRORS = "errors"


@dataclass(frozen=True, slots=True)
class RenderedLine:
    """A line of one of the files, without its end."""

    file: RenderedFile
    line: bytes


@dataclass(frozen=True, slots=True)
class _Entry:
    line: bytes
    is_result: bool  # else it is a line of the input


class ResultForm(Protocol):
    """Writes results in the form of an API, in input order."""

    def write(self, result: bytes) -> Iterator[RenderedLine]:
        """Yield what a result becomes; results of one line of the client's may become one."""
        ...

    def write_unreached(self, line: bytes) -> Iterator[RenderedLine]:
        """Yield the same of a line of the input that has no result and gets none."""
        ...

    def place_of(self, line: bytes) -> int:
        """Return where a result, or a line of the input, stood in the client's file."""
        ...


class Renderer:
    """Makes the files of jobs that have ended."""

    def __init__(self, *, settings: Settings, blobs: Blobs, results: ResultReader) -> None:
        self._line_bytes_max = settings.line_bytes_max
        self._blobs = blobs
        self._results = results

    async def size(self, jobs: Sequence[Job], file: RenderedFile, form: ResultForm) -> int:
        """Return how many bytes the file of a batch has; it is made if it is not there."""
        blob = paths.rendered(jobs[0].id, file)
        size = await self._blobs.size(blob)
        if size is None:
            await self._make(jobs, form)
            size = await self._blobs.size(blob)
        if size is None:
            raise NotFound(MISSING)  # the job was deleted meanwhile
        return size

    async def stream(
        self, job: Job, file: RenderedFile, offset: int = 0, length: int | None = None
    ) -> AsyncIterator[bytes]:
        """Yield a file that was made, of the batch whose first job this is."""
        await self._results.note_reading(job)
        async for piece in self._blobs.stream(paths.rendered(job.id, file), offset, length):
            yield piece

    async def _make(self, jobs: Sequence[Job], form: ResultForm) -> None:
        async with self._blobs.workshop() as folder:
            files = {file: folder / file for file in RenderedFile}
            writing = {
                file: await asyncio.to_thread(path.open, "wb") for file, path in files.items()
            }
            try:
                await self._write(jobs, form, writing)
            finally:
                for each in writing.values():
                    each.close()
            await self._adopt(jobs[0], files)

    async def _adopt(self, job: Job, files: dict[RenderedFile, Path]) -> None:
        for file, path in files.items():
            await self._blobs.adopt(path, paths.rendered(job.id, file))

    async def _write(
        self, jobs: Sequence[Job], form: ResultForm, files: Mapping[RenderedFile, BinaryIO]
    ) -> None:
        async with AsyncExitStack() as held:
            entries = []
            for job in jobs:
                reading = await held.enter_async_context(self._results.partial(job.project, job.id))
                entries.append(self._entries(job, reading))
            async for group in merge(entries, lambda entry: form.place_of(entry.line)):
                await asyncio.to_thread(_put, files, form, group)

    def _entries(self, job: Job, reading: Reading) -> AsyncIterator[list[_Entry]]:
        if reading.is_complete:
            return _reached(reading.pieces)
        return _with_unreached(reading.pieces, self._input_lines(job))

    async def _input_lines(self, job: Job) -> AsyncIterator[bytes]:
        blob = paths.input_lines(job.id)
        groups = span_groups(self._blobs, blob, lines_max=GROUP_LINES, bytes_max=GROUP_BYTES)
        async for group in groups:
            for line in await read_lines(self._blobs, blob, group, self._line_bytes_max):
                yield line or b""


async def _reached(pieces: AsyncIterator[bytes]) -> AsyncIterator[list[_Entry]]:
    async for piece in pieces:
        yield [_Entry(result, is_result=True) for result in piece.splitlines()]


async def _with_unreached(
    pieces: AsyncIterator[bytes], lines: AsyncIterator[bytes]
) -> AsyncIterator[list[_Entry]]:
    """Yield results with the lines between them that have none, in the order of the input."""
    group: list[_Entry] = []
    passed = 0  # lines of the input
    async for piece in pieces:
        for result in piece.splitlines():
            while passed < number_of(result) - 1:
                group.append(_Entry(await anext(lines), is_result=False))
                passed += 1
                if len(group) == GROUP_LINES:
                    yield group
                    group = []
            await anext(lines)
            passed += 1
            group.append(_Entry(result, is_result=True))
        yield group
        group = []
    async for line in lines:
        group.append(_Entry(line, is_result=False))
        if len(group) == GROUP_LINES:
            yield group
            group = []
    yield group


def _put(files: Mapping[RenderedFile, BinaryIO], form: ResultForm, group: Sequence[_Entry]) -> None:
    for entry in group:
        write = form.write if entry.is_result else form.write_unreached
        for rendered in write(entry.line):
            files[rendered.file].write(rendered.line + b"\n")


def number_of(result: bytes) -> int:
    """Return which request a result answers, from 1, as `jsonl.with_number` wrote it."""
    return int(result[len(b'{"line":') : result.index(b",")])
