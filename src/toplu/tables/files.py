"""Opens a table by the end of its file's name, and writes one that is whole or not there."""

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Protocol

from toplu.errors import ConfigurationError
from toplu.tables.delimited import DELIMITERS, DelimitedTable, DelimitedWriter
from toplu.tables.json_rows import JsonTable, JsonWriter
from toplu.tables.table import Column, Row, Table
from toplu.tables.text_lines import TextTable

JSON_SUFFIXES = frozenset({".jsonl", ".ndjson"})
PARQUET_SUFFIXES = frozenset({".parquet", ".pq"})
WRITTEN_SUFFIXES = (".jsonl", ".csv", ".tsv", ".parquet")


class Writer(Protocol):
    """Takes rows for a file that is open."""

    def write(self, row: Row) -> None: ...

    def finish(self) -> None: ...


def open_table(path: Path) -> Table:
    """Return the table of a file; one of no known kind is text, a row for each line.

    ConfigurationError if it cannot be read, or is no such table.
    """
    suffix = path.suffix.lower()
    try:
        if suffix in DELIMITERS:
            return DelimitedTable(path)
        if suffix in JSON_SUFFIXES:
            return JsonTable(path)
        if suffix in PARQUET_SUFFIXES:
            from toplu.tables.parquet import ParquetTable

            return ParquetTable(path)
        return TextTable(path)
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from error


def check_written(path: Path) -> None:
    """Raise ConfigurationError unless a table can be written under this name."""
    suffix = path.suffix.lower()
    if suffix in PARQUET_SUFFIXES:
        import toplu.tables.parquet  # noqa: F401  # says what to install if pyarrow is not here
    elif suffix not in JSON_SUFFIXES and suffix not in DELIMITERS:
        raise ConfigurationError(
            f"{path}: the end of the name says what to write: {', '.join(WRITTEN_SUFFIXES)}"
        )


@contextlib.contextmanager
def whole_file(path: Path, *, mode: int | None = None) -> Iterator[BinaryIO]:
    """Yield a file beside the path, which is there under its name once the block has succeeded.

    `mode` is who may read it, where that is not to be as this process has it set.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("wb") as file:
            if mode is not None:
                os.fchmod(file.fileno(), mode)
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def writer_of(path: Path, file: BinaryIO, columns: Sequence[Column]) -> Writer:
    """Return what writes rows of these columns in the form that the path's name asks for."""
    suffix = path.suffix.lower()
    if suffix in DELIMITERS:
        return DelimitedWriter(file, columns, DELIMITERS[suffix])
    if suffix in JSON_SUFFIXES:
        return JsonWriter(file, columns)
    from toplu.tables.parquet import ParquetWriter

    return ParquetWriter(file, columns)
