"""Jobs of files that are in another API's form: their lines are translated as the job is made.

    file ── lines ──▶ translator ──▶ lines of the core ──▶ the job's own input, one for each engine

Lines may be for several engines. Each of these has a job, and all of them are one batch.
What is wrong with the file as a whole fails the job, with its faults in the words of that API; what
is wrong with one line is that line's error.
"""

import asyncio
import hashlib
from collections.abc import Sequence
from contextlib import ExitStack
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
from toplu.job import InputForm, Job, Method, ProjectId, Wire
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


class Translator(Protocol):
    """Translates the lines of one file, in their order."""

    def translate(self, number: int, line: bytes | None) -> Sequence[EngineLine]:
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
        """Return the first job, durable: PENDING, or FAILED if its file is wrong as a whole.

        Raises AlreadyCreated if the key has made a job before.
        """
        stored = await self._library.get(project, file)
        async with self._blobs.workshop() as folder:
            with _Inputs(folder) as inputs:
                await self._translate(stored, translator, inputs)
            translated = await asyncio.to_thread(translator.end)
            candidates = [
                replace(_candidate(stored, form, part, inputs.of(part.engine)), key=key)
                for part in translated.parts
            ]
            if translated.refusal is not None:
                return await self._admission.refuse(candidates[0], translated.refusal)
            async with self._admission.keeping_input(*(it.id for it in candidates)):
                for it in candidates:
                    path = inputs.of(it.engine).path
                    await self._blobs.adopt(path, paths.input_lines(it.id))
        return await self._admission.admit(*candidates)

    async def _translate(
        self, stored: StoredFile, translator: Translator, inputs: "_Inputs"
    ) -> None:
        groups = span_groups(self._blobs, stored.blob, lines_max=GROUP_LINES, bytes_max=GROUP_BYTES)
        async for group in groups:
            lines = await read_lines(self._blobs, stored.blob, group, self._line_bytes_max)
            numbers = [span.number for span in group]
            await asyncio.to_thread(_translate_all, translator, numbers, lines, inputs)


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
