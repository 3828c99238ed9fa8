"""Jobs of files that are in another API's form: their lines are translated as the job is made.

    file ── lines ──▶ translator ──▶ lines of the core ──▶ the job's own input, one for each engine

Lines may be for several engines. Each of these has a job, and all of them are one batch.
What is wrong with the file as a whole fails the job, with its faults in the words of that API; what
is wrong with one line is that line's error.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO, Protocol, Self

from toplu.batch import paths
from toplu.batch.jobs.admission import Admission, Candidate, new_job_id
from toplu.batch.line_reader import read_lines, span_groups
from toplu.errors import InvalidArgument
from toplu.files.library import Library, StoredFile
from toplu.idempotency import IdempotencyKey
from toplu.job import InputForm, Job, JobId, Method, ProjectId, Wire
from toplu.settings.server import MIB, Settings
from toplu.store.blobs.blobs import Blobs

GROUP_LINES = 1024  # that are translated at a time
GROUP_BYTES = 4 * MIB


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineLine:
    """A line of the core, and the engine that it is for."""

    engine: str
    line: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class TranslatedPart:
    """The outcome of the lines for one engine."""

    model: str  # as the client spelled it first; empty if no line names one
    engine: str  # empty if that model is not known
    details: bytes  # what the API keeps of the job


@dataclass(frozen=True, slots=True, kw_only=True)
class Translated:
    """The outcome of a whole file."""

    parts: Sequence[TranslatedPart]  # one at least, in the order of their first lines
    refusal: InvalidArgument | None = None  # why the batch cannot run at all


@dataclass(frozen=True, slots=True, kw_only=True)
class TranslatedForm:
    """The things that are known of such a job before its file is read."""

    wire: Wire
    method: Method
    life: timedelta  # until it expires
    reuse: bool | None = None  # of answers; None: as the settings say


class Translator(Protocol):
    """Translates the lines of one file, in their order."""

    def translate(self, number: int, line: bytes | None) -> Sequence[EngineLine]:
        """Return the core's lines for a line, None: it is too long. `number` is from 1."""
        ...

    def end(self) -> Translated:
        """Return what came of all of them."""
        ...


class TranslatedInputs:
    """Makes of such a file the inputs of jobs that are to be."""

    def __init__(self, *, settings: Settings, library: Library, blobs: Blobs) -> None:
        self._line_bytes_max = settings.line_bytes_max
        self._library = library
        self._blobs = blobs

    @asynccontextmanager
    async def translate(
        self, project: ProjectId, file: str, translator: Translator
    ) -> AsyncIterator["TranslatedFile"]:
        """Yield what came of the file; inputs that were not kept in the block go with its end."""
        stored = await self._library.get(project, file)
        async with self._blobs.workshop() as folder:
            with _Inputs(folder) as inputs:
                await self._write(stored, translator, inputs)
            translated = await asyncio.to_thread(translator.end)
            yield TranslatedFile(stored, translated, inputs, self._blobs)

    async def _write(self, stored: StoredFile, translator: Translator, inputs: "_Inputs") -> None:
        groups = span_groups(self._blobs, stored.blob, lines_max=GROUP_LINES, bytes_max=GROUP_BYTES)
        async for group in groups:
            lines = await read_lines(self._blobs, stored.blob, group, self._line_bytes_max)
            numbers = [span.number for span in group]
            await asyncio.to_thread(_translate_all, translator, numbers, lines, inputs)


class TranslatedFile:
    """A file that was translated, with its inputs."""

    def __init__(
        self, stored: StoredFile, outcome: Translated, inputs: "_Inputs", blobs: Blobs
    ) -> None:
        self.outcome = outcome
        self._stored = stored
        self._inputs = inputs
        self._blobs = blobs

    def candidate(self, form: TranslatedForm, part: TranslatedPart) -> Candidate:
        """Return the job that the part would be."""
        return _candidate(self._stored, form, part, self._inputs.of(part.engine))

    async def keep(self, part: TranslatedPart, job: JobId) -> None:
        """Make the input of the part that of the job, durable."""
        await self._blobs.adopt(self._inputs.of(part.engine).path, paths.input_lines(job))

    @asynccontextmanager
    async def kept(self, part: TranslatedPart) -> AsyncIterator[JobId]:
        """Yield an id under which the input of the part is kept until the block ends; no job."""
        kept = new_job_id()
        try:
            await self.keep(part, kept)
            yield kept
        finally:
            await self._blobs.delete_folder(paths.folder(kept))


class TranslatedCreation:
    """Makes jobs of such files."""

    def __init__(self, *, inputs: TranslatedInputs, admission: Admission) -> None:
        self._inputs = inputs
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
        """Return the first job, durable: PENDING, or FAILED if its file is wrong as a whole.

        Raises AlreadyCreated if the key has made a job before.
        """
        async with self._inputs.translate(project, file, translator) as translated:
            outcome = translated.outcome
            candidates = [
                replace(translated.candidate(form, part), key=key) for part in outcome.parts
            ]
            if outcome.refusal is not None:
                return await self._admission.refuse(candidates[0], outcome.refusal)
            async with self._admission.keeping_input(*(it.id for it in candidates)):
                for it, part in zip(candidates, outcome.parts, strict=True):
                    await translated.keep(part, it.id)
        return await self._admission.admit(*candidates)


class _Input:
    """The lines for one engine, in a file of their own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size_bytes = 0
        self.digest = hashlib.sha256()

    def write(self, lines: Sequence[bytes], file: BinaryIO) -> None:
        """Add lines; blocking."""
        written = b"".join(line + b"\n" for line in lines)
        file.write(written)
        self.size_bytes += len(written)
        self.digest.update(written)


class _Inputs:
    """The inputs that a file becomes, by engine."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._inputs: dict[str, _Input] = {}
        self._files: dict[str, BinaryIO] = {}
        self._held = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()

    def of(self, engine: str) -> _Input:
        """Return the input of the engine; one without lines has no file."""
        if engine not in self._inputs:
            self._inputs[engine] = _Input(self._folder / str(len(self._inputs)))
        return self._inputs[engine]

    def write(self, lines: Sequence[EngineLine]) -> None:
        """Add each line to the input of its engine; blocking."""
        by_engine: dict[str, list[bytes]] = {}
        for it in lines:
            by_engine.setdefault(it.engine, []).append(it.line)
        for engine, of_engine in by_engine.items():
            written = self.of(engine)
            if engine not in self._files:
                self._files[engine] = self._held.enter_context(written.path.open("xb"))
            written.write(of_engine, self._files[engine])


def _candidate(
    file: StoredFile, form: TranslatedForm, part: TranslatedPart, written: _Input
) -> Candidate:
    return Candidate(
        id=new_job_id(),
        project=file.project,
        model=part.model,
        engine=part.engine,
        method=form.method,
        input_form=InputForm.FILE,
        input_file=file.id,
        input_sha256=written.digest.hexdigest(),
        size_bytes=written.size_bytes,
        wire=form.wire,
        wire_details=part.details,
        life=form.life,
        reuse=form.reuse,
    )


def _translate_all(
    translator: Translator, numbers: list[int], lines: list[bytes | None], inputs: _Inputs
) -> None:
    inputs.write(
        [
            written
            for number, line in zip(numbers, lines, strict=True)
            for written in translator.translate(number, line)
        ]
    )
