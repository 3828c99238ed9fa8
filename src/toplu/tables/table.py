"""A table: named columns, and rows that are read again from the file each time they are asked for.

A cell is a string, a number, a truth value, None where nothing is there, a list or a dict as JSON
has them, or a value of Parquet's own, whose text is what `str` gives.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Protocol

from toplu.errors import ConfigurationError
from toplu.wire.gemini import message

Row = Sequence[Any]

LINE_BYTES_MAX = 20 * 1024 * 1024  # of one line of a text file


class Kind(Enum):
    """The type of a column's cells."""

    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    JSON = "json"  # any value: as text where a file has no place for it
    VECTOR = "vector"  # of numbers


@dataclass(frozen=True, slots=True)
class Column:
    """A column; `native` is its type in Parquet, if it came from there."""

    name: str
    kind: Kind
    native: Any = None


class Table(Protocol):
    """A file that has been opened and found to be a table as far as its columns."""

    @property
    def columns(self) -> Sequence[Column]: ...

    def rows(self) -> Iterator[Row]:
        """Yield rows of as many cells as columns, in the file's order; blocking.

        ConfigurationError names the line or the row that cannot be read.
        """
        ...


class TableError(ConfigurationError):
    """The file is no table that can be read; the message says where and why."""

    @classmethod
    def at(cls, path: Path, place: str, reason: str) -> "TableError":
        """Return the error of one place of the file."""
        return cls(f"{path}: {place}: {reason}")


def check_names(path: Path, names: Sequence[str]) -> None:
    """Raise TableError unless every column has a name of its own."""
    if not names:
        raise TableError(f"{path}: has no columns")
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise TableError(f"{path}: two columns are named `{name}`; names must differ")
        seen.add(name)


def text_of(cell: Any) -> str:
    """Return the cell as a prompt or a text file has it: empty where nothing is there."""
    match cell:
        case None:
            return ""
        case str():
            return cell
        case bool():
            return "true" if cell else "false"
        case float() if math.isnan(cell):
            return ""
        case list() | dict():
            return message.write(cell).decode()
        case _:
            return str(cell)


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines of a UTF-8 file with their ends, from 1 on; a byte order mark is skipped."""
    with path.open("rb") as file:
        number = 0
        while line := file.readline(LINE_BYTES_MAX + 1):
            number += 1
            if len(line) > LINE_BYTES_MAX:
                raise TableError.at(
                    path, f"line {number}", f"is longer than {LINE_BYTES_MAX} bytes"
                )
            yield number, _decoded(path, number, line)


def _decoded(path: Path, number: int, line: bytes) -> str:
    if number == 1 and line.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise TableError.at(path, "line 1", "is UTF-16; save the file as UTF-8")
    try:
        return line.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError as error:
        place = f"line {number}, byte {error.start + 1}"
        raise TableError.at(path, place, "is not UTF-8; save the file as UTF-8") from error
