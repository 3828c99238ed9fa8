"""Batches made on the page, of a file that has been uploaded: what they would be, and the making.

A file is of lines of Gemini's API or of OpenAI's, which its first line tells, or it is a table, of
whose rows a prompt makes lines.
"""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from toplu.api.dashboard.gate import VERSION, Visit
from toplu.api.doors.asked import ask
from toplu.api.doors.forwarded_call import Doors
from toplu.api.gemini.model_names import ModelNames
from toplu.api.openai.batch.resource import job_id_of
from toplu.api.openai.batches import OpenaiBatches
from toplu.api.openai.endpoints import BY_URL
from toplu.api.openai.files import ID_PREFIX
from toplu.batch.jobs.create import JobCreation
from toplu.errors import ConfigurationError, InvalidArgument
from toplu.files.library import Library, StoredFile
from toplu.files.uploads import Uploads
from toplu.job import JobId, ProjectId
from toplu.settings.server import Kind, ModelSettings
from toplu.tables.files import open_table
from toplu.tables.table import Table
from toplu.tables.template import Template
from toplu.wire.gemini import message
from toplu.wire.gemini.batch import GenerateContentBatch, InputConfig
from toplu.wire.gemini.embedding import EmbedContentBatch, InputEmbedContentConfig
from toplu.wire.gemini.file import FileMetadata

TABLE_SUFFIXES = (".csv", ".tsv", ".parquet")
FIRST_LINE_BYTES = 64 * 1024
LINES_AT_ONCE = 512
METHODS = {Kind.GENERATION: "batchGenerateContent", Kind.EMBEDDING: "asyncBatchEmbedContent"}
WINDOW = "24h"


class _FirstLine(msgspec.Struct):
    """The part of a line that tells of which API it is."""

    custom_id: Any = None
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """A file, and what is to be made of it."""

    file: StoredFile
    model: str  # of a file of OpenAI's lines none: each names its own
    name: str
    endpoint: str  # of OpenAI's API, empty for Gemini's

    @property
    def is_table(self) -> bool:
        return is_table(self.file)


def is_table(file: StoredFile) -> bool:
    """Return whether lines have to be made of the file first."""
    return (file.display_name or "").lower().endswith(TABLE_SUFFIXES)


class NewBatches:
    """Makes batches of files."""

    def __init__(
        self,
        *,
        names: ModelNames,
        library: Library,
        uploads: Uploads,
        creation: JobCreation,
        openai: OpenaiBatches,
        doors: Doors,
    ) -> None:
        self._names = names
        self._library = library
        self._uploads = uploads
        self._creation = creation
        self._openai = openai
        self._doors = doors

    async def choose(self, visit: Visit, model: str, name: str) -> Chosen:
        """Return what is to be made of the file that the path names."""
        file = await self._library.get(visit.project, visit.path("file"))
        endpoint = "" if is_table(file) else await self._endpoint_of(file)
        return Chosen(file=file, model=model, name=name, endpoint=endpoint)

    async def columns(self, file: StoredFile) -> list[str]:
        """Return the columns of a table; InvalidArgument if it is none."""
        async with self._table(file) as table:
            return [column.name for column in table.columns]

    async def lines_of(self, project: ProjectId, file: StoredFile, prompt: str) -> StoredFile:
        """Return a new file: a line for each row of the table, asked by the prompt."""
        async with self._table(file) as table:
            lines = _lines_of(table, prompt)
            first = await _next_of(lines)
            if not first:
                raise InvalidArgument("No row of the table asks anything by this prompt.")

            async def chunks() -> AsyncIterator[bytes]:
                piece = first
                while piece:
                    yield piece
                    piece = await _next_of(lines)

            about = FileMetadata(display_name=f"{file.display_name}.jsonl")
            return await self._uploads.whole(
                project, about, mime_type="application/jsonl", chunks=chunks()
            )

    async def validate(self, visit: Visit, chosen: Chosen) -> dict[str, Any]:
        """Return what the batch would be, as its API says it."""
        if chosen.endpoint:
            call = visit.as_call(self._openai_body(chosen), query=b"validate_only=true")
            return dict(msgspec.json.decode((await self._openai.create(call)).body))
        model = self._model_of(chosen)
        order = message.write({"batch": _batch_of(chosen, model.kind)})
        doors = await self._doors.of(model.name, order)
        path = f"/{VERSION}/models/{chosen.model}:{METHODS[model.kind]}"
        found = await ask(doors, visit.project, path, order, visit.request.receive)
        return dict(msgspec.json.decode(found))

    async def create(self, visit: Visit, chosen: Chosen) -> JobId:
        """Return the new batch."""
        if chosen.endpoint:
            made = await self._openai.create(visit.as_call(self._openai_body(chosen)))
            return job_id_of(msgspec.json.decode(made.body)["id"])
        model = self._model_of(chosen)
        job = await self._creation.create(
            project=visit.project,
            model=chosen.model,
            engine=model.name,
            batch=_batch_of(chosen, model.kind),
        )
        return job.id

    def _model_of(self, chosen: Chosen) -> ModelSettings:
        return self._names.require(chosen.model, version=VERSION, method=None)

    def _openai_body(self, chosen: Chosen) -> bytes:
        return message.write(
            {
                "input_file_id": f"{ID_PREFIX}{chosen.file.id}",
                "endpoint": chosen.endpoint,
                "completion_window": WINDOW,
            }
        )

    async def _endpoint_of(self, file: StoredFile) -> str:
        beginning = b""
        async for piece in self._library.stream(file, 0, min(FIRST_LINE_BYTES, file.size_bytes)):
            beginning += piece
        try:
            first = msgspec.json.decode(beginning.lstrip().partition(b"\n")[0], type=_FirstLine)
        except (msgspec.MsgspecError, UnicodeError):
            return ""
        return first.url if first.custom_id is not None and first.url in BY_URL else ""

    @contextlib.asynccontextmanager
    async def _table(self, file: StoredFile) -> AsyncIterator[Table]:
        """Yield the table that the file is; its name tells its kind."""
        suffix = Path((file.display_name or "").lower()).suffix
        with tempfile.TemporaryDirectory(prefix="toplu-table-") as folder:
            path = Path(folder) / f"table{suffix}"
            with path.open("wb") as copy:
                async for piece in self._library.stream(file):
                    await asyncio.to_thread(copy.write, piece)
            try:
                yield await asyncio.to_thread(open_table, path)
            except ConfigurationError as error:
                told = str(error).replace(f"{path}", file.display_name or "the table")
                raise InvalidArgument(told) from error


def _batch_of(chosen: Chosen, kind: Kind) -> GenerateContentBatch | EmbedContentBatch:
    file, name = f"files/{chosen.file.id}", chosen.name or None
    if kind is Kind.EMBEDDING:
        return EmbedContentBatch(
            display_name=name, input_config=InputEmbedContentConfig(file_name=file)
        )
    return GenerateContentBatch(display_name=name, input_config=InputConfig(file_name=file))


def _lines_of(table: Table, prompt: str) -> Iterator[bytes]:
    template = Template(prompt, [column.name for column in table.columns])
    for number, row in enumerate(table.rows(), start=1):
        if (text := template.fill(row)) is not None:
            request = {"contents": [{"role": "user", "parts": [{"text": text}]}]}
            yield message.write({"key": f"row-{number}", "request": request}) + b"\n"


async def _next_of(lines: Iterator[bytes]) -> bytes:
    def take() -> bytes:
        return b"".join(line for line, _ in zip(lines, range(LINES_AT_ONCE), strict=False))

    return await asyncio.to_thread(take)
