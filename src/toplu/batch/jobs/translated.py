"""Jobs of files that are in another API's form: their lines are translated as the job is made.

    file ── lines ──▶ translator ──▶ lines of the core ──▶ the job's own input

What is wrong with the file as a whole fails the job, with its faults in the words of that API; what
is wrong with one line is that line's error.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from toplu.batch import paths
from toplu.batch.jobs.admission import Admission, Candidate, new_job_id
from toplu.batch.line_reader import read_lines, span_groups
from toplu.errors import InvalidArgument
from toplu.files.library import Library, StoredFile
from toplu.idempotency import IdempotencyKey
from toplu.job import InputForm, Job, Method, ProjectId, Wire
from toplu.settings.server import MIB, Settings
from toplu.store.blobs.blobs import Blobs

GROUP_LINES = 1024  # that are translated at a time
GROUP_BYTES = 4 * MIB


@dataclass(frozen=True, slots=True, kw_only=True)
class Translated:
    """The outcome of a whole file."""

    model: str  # as the client spelled it; empty if no line names one
    engine: str  # empty if that model is not known
    details: bytes  # what the API keeps of the job
    refusal: InvalidArgument | None = None  # why the job cannot run at all


@dataclass(frozen=True, slots=True, kw_only=True)
class TranslatedForm:
    """The things that are known of such a job before its file is read."""

    wire: Wire
    method: Method
    life: timedelta  # until it expires


class Translator(Protocol):
    """Translates the lines of one file, in their order."""

    def translate(self, number: int, line: bytes | None) -> Sequence[bytes]:
        """Return the core's lines for a line, None: it is too long. `number` is from 1."""
        ...

    def end(self) -> Translated:
        """Return what came of all of them."""
        ...


class TranslatedCreation:
    """Makes jobs of such files."""

    def __init__(
        self, *, settings: Settings, library: Library, blobs: Blobs, admission: Admission
    ) -> None:
        self._line_bytes_max = settings.line_bytes_max
        self._library = library
        self._blobs = blobs
        self._admission = admission

    async def create(
        self,
        *,
        project: ProjectId,
        file: str,
        form: TranslatedForm,
        translator: Translator,
        key: IdempotencyKey | None = None,
    ) -> Job:
        """Return the job, durable: PENDING, or FAILED if its file is wrong as a whole.

        Raises AlreadyCreated if the key has made a job before.
        """
        stored = await self._library.get(project, file)
        job_id = new_job_id()
        digest = hashlib.sha256()
        async with self._admission.keeping_input(job_id):
            lines = self._lines(stored, translator, digest)
            size_bytes = await self._blobs.put(paths.input_lines(job_id), lines)
            translated = await asyncio.to_thread(translator.end)
        candidate = Candidate(
            id=job_id,
            project=project,
            model=translated.model,
            engine=translated.engine,
            method=form.method,
            input_form=InputForm.FILE,
            input_file=stored.id,
            input_sha256=digest.hexdigest(),
            size_bytes=size_bytes,
            wire=form.wire,
            wire_details=translated.details,
            life=form.life,
            key=key,
        )
        if translated.refusal is not None:
            return await self._admission.refuse(candidate, translated.refusal)
        return await self._admission.admit(candidate)

    async def _lines(
        self, stored: StoredFile, translator: Translator, digest: "hashlib._Hash"
    ) -> AsyncIterator[bytes]:
        groups = span_groups(self._blobs, stored.blob, lines_max=GROUP_LINES, bytes_max=GROUP_BYTES)
        async for group in groups:
            lines = await read_lines(self._blobs, stored.blob, group, self._line_bytes_max)
            numbers = [span.number for span in group]
            written = await asyncio.to_thread(_translate_all, translator, numbers, lines)
            digest.update(written)
            yield written


def _translate_all(translator: Translator, numbers: list[int], lines: list[bytes | None]) -> bytes:
    return b"".join(
        written + b"\n"
        for number, line in zip(numbers, lines, strict=True)
        for written in translator.translate(number, line)
    )
