"""CSV and TSV: the first line names the columns; quoted fields may have line ends in them."""

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from toplu.tables.table import (
    LINE_BYTES_MAX,
    Column,
    Kind,
    Row,
    TableError,
    check_names,
    numbered_lines,
    text_of,
)

DELIMITERS = {".csv": ",", ".tsv": "\t"}


class DelimitedTable:
    """A table of texts; a field that is not there is empty, a row of other length is an error."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._delimiter = DELIMITERS[path.suffix.lower()]
        _, header = next(self._records(), (0, []))
        check_names(path, header)
        self.columns = tuple(Column(name, Kind.TEXT) for name in header)

    def rows(self) -> Iterator[Row]:
        """Yield rows of texts; empty lines between them are none."""
        records = self._records()
        next(records)
        for line, record in records:
            if len(record) != len(self.columns):
                raise TableError.at(
                    self._path,
                    f"line {line}",
                    f"has {len(record)} fields, and the header {len(self.columns)}; "
                    f"a field with {_named(self._delimiter)} in it must be quoted",
                )
            yield record

    def _records(self) -> Iterator[tuple[int, list[str]]]:
        """Yield the number of the line on which each record begins, and its fields."""
        csv.field_size_limit(LINE_BYTES_MAX)
        begins = read = 0

        def lines() -> Iterator[str]:
            nonlocal read
            for read, line in numbered_lines(self._path):
                if "\0" in line:
                    raise TableError.at(self._path, f"line {read}", "has a NUL character")
                yield line

        reader = csv.reader(lines(), delimiter=self._delimiter, strict=True)
        while True:
            begins = read + 1
            try:
                record = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                place = f"line {read}" if read == begins else f"lines {begins} to {read}"
                raise TableError.at(self._path, place, str(error)) from error
            if record:
                yield begins, record


class DelimitedWriter:
    """Writes rows as CSV or TSV."""

    def __init__(self, file: BinaryIO, columns: Sequence[Column], delimiter: str) -> None:
        self._text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
        plain: dict[str, Any] = {"delimiter": delimiter, "lineterminator": "\n"}
        self._writer = csv.writer(self._text, **plain)
        # Python before 3.13 leaves a carriage return bare, which ends a row to other readers.
        self._quoting_writer = csv.writer(self._text, quoting=csv.QUOTE_ALL, **plain)
        self.write([column.name for column in columns])

    def write(self, row: Row) -> None:
        """Write a row of as many cells as columns."""
        texts = [text_of(cell) for cell in row]
        has_return = any("\r" in text for text in texts)
        (self._quoting_writer if has_return else self._writer).writerow(texts)

    def finish(self) -> None:
        """Hand on what is still held; the file stays open."""
        self._text.flush()
        self._text.detach()


def _named(delimiter: str) -> str:
    return "a tab" if delimiter == "\t" else f"`{delimiter}`"
