"""The output of a run: every row of the input with its answer, in the input's order."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

import msgspec

from toplu.errors import ConfigurationError, RequestError
from toplu.oneshot.rows.answers import ERROR, AnswerForm, Result, error_text
from toplu.oneshot.rows.questions import LineQuestions, Questions
from toplu.tables.files import writer_of
from toplu.tables.table import Column, Row
from toplu.wire.gemini import jsonl


@dataclass(slots=True)
class Tally:
    """The rows that have been written, and those among them that have an error."""

    rows: int = 0
    failed: int = 0


class Output(Protocol):
    """Takes the numbered results of a batch in input order; all of it blocks."""

    tally: Tally

    def add(self, lines: Sequence[bytes]) -> None:
        """Write the rows up to that of the last of these results."""
        ...

    def finish(self) -> None:
        """Write the rows that are left, none of which has a result."""
        ...


class RowOutput:
    """Rows of the input's columns and those of the answers; `missing`: why there is no result."""

    def __init__(
        self,
        path: Path,
        file: BinaryIO,
        questions: Questions,
        form: AnswerForm,
        *,
        prefix: str,
        missing: RequestError,
    ) -> None:
        self._writer = writer_of(path, file, columns_of(questions, form, prefix))
        self._rows = questions.rows()
        self._form = form
        self._missing = error_text(missing)
        self._error_at = list(form.columns).index(ERROR)
        self._decoder = msgspec.json.Decoder(Result)
        self._line = 0  # of the batch, the last one whose row has been taken
        self.tally = Tally()

    def add(self, lines: Sequence[bytes]) -> None:
        """Write the rows up to that of the last of these results."""
        for line in lines:
            result = self._decoder.decode(line)
            while self._line + 1 < result.line:
                self._write(self._next_row(), self._form.without(self._missing))
            self._write(self._next_row(), self._form.cells(result))

    def finish(self) -> None:
        """Write the rows that are left, none of which has a result."""
        while (row := self._next_row()) is not None:
            self._write(row, self._form.without(self._missing))
        self._writer.finish()

    def _next_row(self) -> Row | None:
        """Return the next row that has a line; those before it that have none are written."""
        for row, reason in self._rows:
            if reason is None:
                self._line += 1
                return row
            self._write(row, self._form.without(f"INVALID_ARGUMENT: {reason}"))
        return None

    def _write(self, row: Row | None, cells: Sequence[object]) -> None:
        assert row is not None, "the batch was made of the same rows"
        self.tally.rows += 1
        self.tally.failed += cells[self._error_at] is not None
        self._writer.write([*row, *cells])


class LineOutput:
    """Results as the Gemini API writes them, of lines of that API."""

    def __init__(self, file: BinaryIO, questions: LineQuestions, *, missing: RequestError) -> None:
        self._file = file
        self._rows = questions.rows()
        self._missing = missing
        self._line = 0
        self.tally = Tally()

    def add(self, lines: Sequence[bytes]) -> None:
        """Write the results up to the last of these."""
        for line in lines:
            number, result = jsonl.without_number(line)
            while self._line + 1 < number:
                self._write(self._missing_result())
            next(self._rows)
            self._write(result)

    def finish(self) -> None:
        """Write the results that are not there."""
        for (key, metadata), _ in self._rows:
            self._write(jsonl.write_result(key, metadata, self._missing))

    def _missing_result(self) -> bytes:
        (key, metadata), _ = next(self._rows)
        return jsonl.write_result(key, metadata, self._missing)

    def _write(self, result: bytes) -> None:
        self._line += 1
        self.tally.rows += 1
        self.tally.failed += jsonl.error_code_of(result) is not None
        self._file.write(result + b"\n")


def columns_of(questions: Questions, form: AnswerForm, prefix: str) -> list[Column]:
    """Return all columns of the output; ConfigurationError if two would have the same name."""
    there = {column.name for column in questions.columns}
    new = [Column(f"{prefix}{column.name}", column.kind) for column in form.columns]
    if taken := [column.name for column in new if column.name in there]:
        raise ConfigurationError(
            f"the input has a column `{taken[0]}` already, as the output is to have; "
            "put something before the new names, as in --prefix new_"
        )
    return [*questions.columns, *new]
