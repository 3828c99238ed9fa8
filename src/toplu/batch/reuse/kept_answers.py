"""Finds answers that batches of a project were given before, in their outputs.

    digest ──▶ index of each of the last batches that have ended ──▶ line of its output ──▶ response

Nothing is kept for this alone but the indexes, which lie beside the outputs: what is deleted or has
expired is no answer any more, whoever asks.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from toplu.batch import paths
from toplu.batch.reuse.answer_index import RECORD, find_answer
from toplu.clock import Clock
from toplu.job import Job, JobId
from toplu.settings.server import Settings
from toplu.store.blobs.blobs import Blobs
from toplu.store.rows.reuse import ReuseRows
from toplu.wire.gemini.message import FreeForm

JOBS_MAX = 64  # whose sources are known at a time
FRESH = timedelta(seconds=5)  # after which is looked for batches that have ended since


@dataclass(frozen=True, slots=True)
class _Source:
    """A batch that has answers, and how many."""

    job: JobId
    answers: int


@dataclass(frozen=True, slots=True)
class _Sources:
    """The batches that a job may have answers of, as of a moment."""

    sources: Sequence[_Source]
    read: datetime


class _Line(msgspec.Struct):
    """The part of an output line that another request may have."""

    response: FreeForm


_line_decoder = msgspec.json.Decoder(_Line)


class KeptAnswers:
    """Looks through the last batches of a project."""

    def __init__(self, *, settings: Settings, clock: Clock, rows: ReuseRows, blobs: Blobs) -> None:
        self._life = timedelta(seconds=settings.reuse_seconds)
        self._batches_max = settings.reuse_batches_max
        self._clock = clock
        self._rows = rows
        self._blobs = blobs
        self._known: OrderedDict[JobId, _Sources] = OrderedDict()

    async def find(self, job: Job, digest: bytes) -> FreeForm | None:
        """Return the response that a request of the job's project with that digest was given."""
        for source in await self._sources_of(job):
            try:
                line = await self._read(source, digest)
            except FileNotFoundError:
                continue  # deleted
            # Behind the reading: what is there may have been deleted since its batch was found.
            if line is not None and await self._rows.is_source(job, source.job, *self._times()):
                return _line_decoder.decode(line).response
        return None

    async def _read(self, source: _Source, digest: bytes) -> bytes | None:
        index = paths.answers(source.job)
        place = await find_answer(self._blobs, index, source.answers, digest)
        if place is None:
            return None
        return await self._blobs.read(paths.output_lines(source.job), *place)

    async def _sources_of(self, job: Job) -> Sequence[_Source]:
        now = self._clock.now()
        known = self._known.get(job.id)
        # The clock may have been put back.
        if known is None or not known.read <= now < known.read + FRESH:
            known = _Sources(await self._find_sources(job), now)
            self._known[job.id] = known
            if len(self._known) > JOBS_MAX:
                self._known.popitem(last=False)
        return known.sources

    async def _find_sources(self, job: Job) -> list[_Source]:
        found = []
        for source in await self._rows.sources(job, *self._times(), self._batches_max):
            size_bytes = await self._blobs.size(paths.answers(source))
            if size_bytes:
                found.append(_Source(source, size_bytes // RECORD.size))
        return found

    def _times(self) -> tuple[datetime, datetime]:
        """Return since when a batch has to have ended, and the present."""
        now = self._clock.now()
        return now - self._life, now
