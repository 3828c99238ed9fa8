"""The lines of a run's batch, made of the rows of its input.

A row of which nothing can be asked, because its cells are blank, has no line; it is among the rows
of the output all the same, with the reason.
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import msgspec

from toplu.errors import ConfigurationError, InvalidArgument
from toplu.job import Method, Wire
from toplu.oneshot.options import AskOptions
from toplu.oneshot.rows.images import ImageFolder
from toplu.oneshot.rows.schema_fields import AnswerSchema
from toplu.tables.files import JSON_SUFFIXES
from toplu.tables.table import Column, Kind, Row, Table, numbered_lines, text_of
from toplu.tables.template import Template
from toplu.tables.text_lines import COLUMN as TEXT
from toplu.wire.gemini import jsonl, message

PROMPT = "prompt"  # the column that is asked if no prompt is given
NOTHING = "nothing to ask: the cells that are asked are empty"


class Questions(Protocol):
    """The input, as rows and as lines of a batch."""

    method: Method

    @property
    def columns(self) -> Sequence[Column]: ...

    def lines(self) -> Iterator[bytes]:
        """Yield the batch's lines with their ends; ConfigurationError names a row that is wrong."""
        ...

    def rows(self) -> Iterator[tuple[Row, str | None]]:
        """Yield each row, with the reason why it has no line, or None if it has one."""
        ...


class TableQuestions:
    """A question for each row of a table: a prompt made of its cells, an image, or both."""

    method = Method.GENERATE

    def __init__(self, options: AskOptions, table: Table, schema: AnswerSchema | None) -> None:
        self._table = table
        self._limit = options.limit
        self._name = options.source.name
        self.columns = table.columns
        names = [column.name for column in table.columns]
        self._template = Template(
            options.prompt if options.prompt is not None else _usual_prompt(names),
            names,
            may_be_the_same=options.image is not None,
        )
        self._image = None if options.image is None else _index_of(options.image, names)
        self._images = ImageFolder(options.source.parent)
        self._frame = _frame_of(options, schema)

    def lines(self) -> Iterator[bytes]:
        """Yield a line for each row that asks something."""
        for number, row in enumerate(islice(self._table.rows(), self._limit), start=1):
            prompt = self._prompt(row)
            if prompt is None:
                continue
            parts: list[dict[str, Any]] = [{"text": prompt}]
            if self._image is not None:
                place = f"{self._name}: row {number}"
                parts.insert(0, self._images.part(text_of(row[self._image]), place))
            request = {"contents": [{"role": "user", "parts": parts}], **self._frame}
            yield message.write({"request": request}) + b"\n"

    def rows(self) -> Iterator[tuple[Row, str | None]]:
        """Yield the rows; one that asks nothing has the reason beside it."""
        for row in islice(self._table.rows(), self._limit):
            yield row, None if self._prompt(row) is not None else NOTHING

    def _prompt(self, row: Row) -> str | None:
        if self._image is not None and not text_of(row[self._image]).strip():
            return None
        return self._template.fill(row)


class EmbeddingQuestions:
    """A vector for each row of a table, of one column."""

    method = Method.EMBED

    def __init__(self, table: Table, column: str, limit: int | None) -> None:
        self._table = table
        self._limit = limit
        self.columns = table.columns
        self._index = _index_of(column, [it.name for it in table.columns])

    def lines(self) -> Iterator[bytes]:
        """Yield a line for each row that has a text."""
        for row in islice(self._table.rows(), self._limit):
            if (text := text_of(row[self._index])).strip():
                request = {"content": {"parts": [{"text": text}]}}
                yield message.write({"request": request}) + b"\n"

    def rows(self) -> Iterator[tuple[Row, str | None]]:
        """Yield the rows; one without a text has the reason beside it."""
        for row in islice(self._table.rows(), self._limit):
            yield row, None if text_of(row[self._index]).strip() else NOTHING


class LineQuestions:
    """Lines of a batch as they are: each asks what it says; the client's own names are its row."""

    columns = (Column("key", Kind.JSON), Column("metadata", Kind.JSON))

    def __init__(self, path: Path, limit: int | None, *, proves: bool = True) -> None:
        """`proves`: each line is to be a request."""
        self._path = path
        self._limit = limit
        self._proves = proves
        first = _first_object(path)
        is_embedding = "content" in first.get("request", first)
        self.method = Method.EMBED if is_embedding else Method.GENERATE
        self._form: jsonl.LineForm[Any] = (
            jsonl.EMBED_LINES if is_embedding else jsonl.GENERATE_LINES
        )

    def lines(self) -> Iterator[bytes]:
        """Yield the lines; ConfigurationError names one that is no request, if that is wanted."""
        for number, line in islice(self._numbered(), self._limit):
            if self._proves:
                self._prove(number, line)
            yield line.rstrip(b"\r\n") + b"\n"

    def rows(self) -> Iterator[tuple[Row, str | None]]:
        """Yield the keys and metadata."""
        for _, line in islice(self._numbered(), self._limit):
            yield jsonl.identify(line), None

    def _prove(self, number: int, line: bytes) -> None:
        try:
            self._form.read(line, number)
        except InvalidArgument as error:
            raise ConfigurationError(f"{self._path}: {error.message}") from error

    def _numbered(self) -> Iterator[tuple[int, bytes]]:
        for number, line in numbered_lines(self._path):
            if not line.isspace():
                yield number, line.encode()


def wire_of(path: Path) -> Wire | None:
    """Return the API whose requests a file of JSON lines holds; None: the lines are rows."""
    if path.suffix.lower() not in JSON_SUFFIXES:
        return None
    first = _first_object(path)
    if "custom_id" in first and "body" in first:
        return Wire.OPENAI
    forms = (("request", dict), ("contents", list), ("content", dict))
    is_request = any(isinstance(first.get(name), form) for name, form in forms)
    return Wire.GEMINI if is_request else None


def _first_object(path: Path) -> dict[str, Any]:
    for _, line in numbered_lines(path):
        if not line.isspace():
            try:
                return msgspec.json.decode(line, type=dict[str, Any])
            except msgspec.DecodeError:
                break
    return {}


def _usual_prompt(names: Sequence[str]) -> str:
    if list(names) == [TEXT]:
        return f"{{{TEXT}}}"
    if PROMPT in names:
        return f"{{{PROMPT}}}"
    raise ConfigurationError(
        f"say with --prompt what to ask of each row, as in --prompt 'Summarize: {{{names[0]}}}'; "
        f"the columns are {', '.join(f'`{name}`' for name in names)}"
    )


def _index_of(name: str, names: Sequence[str]) -> int:
    if name not in names:
        listed = ", ".join(f"`{each}`" for each in names)
        raise ConfigurationError(f"there is no column `{name}`; the columns are {listed}")
    return names.index(name)


def _frame_of(options: AskOptions, schema: AnswerSchema | None) -> dict[str, Any]:
    """Return what the requests of all rows share."""
    config: dict[str, Any] = {
        "temperature": options.temperature,
        "seed": options.seed,
        "maxOutputTokens": options.max_tokens,
    }
    config = {name: value for name, value in config.items() if value is not None}
    if schema is not None:
        config |= {"responseMimeType": "application/json", schema.field: schema.schema}
    frame: dict[str, Any] = {}
    if options.system is not None:
        frame["systemInstruction"] = {"parts": [{"text": options.system}]}
    return frame | ({"generationConfig": config} if config else {})
