"""Writes the answers that there are into lines that are to run again in a job of their own.

There the lines that they waited for are missing, if these have responses. A line goes on waiting
for those that run again with it.
"""

import asyncio
import heapq
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack, aclosing, asynccontextmanager
from pathlib import Path
from typing import Self

from toplu.batch.chains.expansion import Expansion
from toplu.batch.chains.wave import Answers
from toplu.batch.plan.wave_file import AMBIGUOUS, WaitingLine, read_wave, waves_of
from toplu.batch.results.placements import Placements, entries_of
from toplu.batch.results.reader import ResultReader
from toplu.batch.results.tally import Tally
from toplu.errors import TopluError
from toplu.job import Job, Shard
from toplu.store.blobs.blobs import Blobs
from toplu.store.blobs.records import Record
from toplu.store.blobs.result_log import ResultLog, Segment
from toplu.wire.gemini import proto_json
from toplu.wire.gemini.after import waiting_of

EPOCH = 1


class Untying:
    """Finds who of a job that has ended waits for whom."""

    def __init__(self, *, blobs: Blobs, results: ResultReader, line_bytes_max: int) -> None:
        self._blobs = blobs
        self._results = results
        self._line_bytes_max = line_bytes_max

    @asynccontextmanager
    async def of(self, job: Job, tally: Tally) -> AsyncIterator["Untied | None"]:
        """Give what rewrites lines of the job that have no response; None: none of it waits."""
        async with AsyncExitStack() as held:
            waves = [
                await held.enter_async_context(self._blobs.local(name))
                for name in await waves_of(self._blobs, job.id)
            ]
            if not waves:
                yield None
                return
            folder = await held.enter_async_context(self._blobs.workshop())
            total = job.counts.total
            wanted = await asyncio.to_thread(_wanted, waves, tally, total)
            kept = held.enter_context(Placements(folder / "placements", total))
            log = ResultLog(folder / "results")
            await self._keep(job, wanted, kept, log)
            entries = held.enter_context(_Entries(waves))
            answers = Answers(kept, log, job.id)
            yield Untied(entries, answers, tally, self._line_bytes_max)

    async def _keep(self, job: Job, wanted: bytearray, kept: Placements, log: ResultLog) -> None:
        """Keep the responses that are wanted where they are found by their index."""
        number = 0
        async with aclosing(self._results.responses(job)) as groups:
            async for group in groups:
                records = [
                    Record(index=index, succeeded=True, payload=line)
                    for index, line in group
                    if index < len(wanted) and wanted[index]
                ]
                if records:
                    shard = Shard(job=job.id, number=number, first=0, count=len(records))
                    await asyncio.to_thread(_put, shard, records, kept, log)
                    number += 1


class Untied:
    """Rewrites lines, in input order."""

    def __init__(
        self, entries: "_Entries", answers: Answers, tally: Tally, line_bytes_max: int
    ) -> None:
        self._entries = entries
        self._answers = answers
        self._tally = tally
        self.line_bytes_max = line_bytes_max

    def lines(self, indexes: Sequence[int], lines: Sequence[bytes]) -> list[bytes]:
        """Return the lines of these requests as they are to run; blocking."""
        return [self._line(*pair) for pair in zip(indexes, lines, strict=True)]

    def _line(self, index: int, line: bytes) -> bytes:
        entry = self._entries.find(index)
        waiting = None if entry is None else waiting_of(line)
        if entry is None or waiting is None or entry.is_too_deep:
            return line
        answers = {
            key: self._answers.of(parent)
            for key, parent in zip(waiting.keys, entry.parents, strict=True)
            if parent < AMBIGUOUS and self._tally.has_response(parent)
        }
        if not answers:
            return line
        try:
            return Expansion(waiting, answers, self.line_bytes_max).of_line(line)
        except (TopluError, *proto_json.REFUSALS):
            return line  # it fails again


class _Entries:
    """The lines that wait, of all waves, in input order."""

    def __init__(self, waves: Sequence[Path]) -> None:
        self._waves = waves
        self._held = ExitStack()
        self._next: WaitingLine | None = None

    def __enter__(self) -> Self:
        self._entries = _merged(self._held, self._waves)
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()

    def find(self, index: int) -> WaitingLine | None:
        """Return the entry of a request that is behind the last one, if it waits."""
        while self._next is None or self._next.index < index:
            self._next = next(self._entries, None)
            if self._next is None:
                return None
        return self._next if self._next.index == index else None


def _merged(held: ExitStack, waves: Sequence[Path]) -> Iterator[WaitingLine]:
    files = [held.enter_context(path.open("rb")) for path in waves]
    return heapq.merge(*map(read_wave, files), key=lambda entry: entry.index)


def _wanted(waves: Sequence[Path], tally: Tally, total: int) -> bytearray:
    """Return a byte for each request, 1 if a line without a response waits for its response."""
    wanted = bytearray(total)
    with ExitStack() as held:
        for entry in _merged(held, waves):
            if tally.has_response(entry.index):
                continue
            for parent in entry.parents:
                if parent < total and tally.has_response(parent):
                    wanted[parent] = 1
    return wanted


def _put(shard: Shard, records: Sequence[Record], kept: Placements, log: ResultLog) -> None:
    end = log.append(shard.job, shard.number, EPOCH, records, at=0)
    segment = Segment(job=shard.job, shard=shard.number, epoch=EPOCH, committed_bytes=end)
    kept.put(shard.number, entries_of(log, shard, [segment]))
