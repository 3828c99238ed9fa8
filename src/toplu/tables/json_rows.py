"""JSON lines: each an object, whose members are the cells; columns are all names that there are."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from toplu.tables.table import Column, Kind, Row, TableError, numbered_lines
from toplu.wire.gemini import message

COLUMNS_MAX = 10_000
INTEGER_MIN, INTEGER_MAX = -(2**63), 2**63 - 1

_decoder = msgspec.json.Decoder(dict[str, Any])
_kinds: dict[type, Kind] = {
    str: Kind.TEXT,
    int: Kind.INTEGER,
    float: Kind.NUMBER,
    bool: Kind.BOOLEAN,
}


class JsonTable:
    """A table of objects; it has been read through once for the names and kinds of its columns."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.columns = self._find_columns()

    def rows(self) -> Iterator[Row]:
        """Yield rows; a member that an object has not is None."""
        names = [column.name for column in self.columns]
        for _, members in self._objects():
            yield [members.get(name) for name in names]

    def _find_columns(self) -> tuple[Column, ...]:
        kinds: dict[str, Kind | None] = {}
        for number, members in self._objects():
            for name, cell in members.items():
                kinds[name] = _joined(kinds.get(name), cell)
            if len(kinds) > COLUMNS_MAX:
                raise TableError.at(
                    self._path, f"line {number}", f"there are more than {COLUMNS_MAX} columns"
                )
        if not kinds:
            raise TableError(f"{self._path}: has no columns")
        return tuple(Column(name, kind or Kind.TEXT) for name, kind in kinds.items())

    def _objects(self) -> Iterator[tuple[int, dict[str, Any]]]:
        for number, line in numbered_lines(self._path):
            if line.isspace():
                continue
            try:
                yield number, _decoder.decode(line)
            except (msgspec.DecodeError, RecursionError) as error:
                raise TableError.at(
                    self._path, f"line {number}", f"is no JSON object: {error}"
                ) from error


class JsonWriter:
    """Writes rows as objects, each on a line of its own."""

    def __init__(self, file: BinaryIO, columns: Sequence[Column]) -> None:
        self._file = file
        self._names = [column.name for column in columns]

    def write(self, row: Row) -> None:
        """Write a row of as many cells as columns."""
        cells = (cell if _is_json(cell) else str(cell) for cell in row)
        self._file.write(message.write(dict(zip(self._names, cells, strict=True))) + b"\n")

    def finish(self) -> None:
        """Do nothing: nothing is held back."""


def _joined(kind: Kind | None, cell: Any) -> Kind | None:
    """Return the kind of a column that has this cell as well."""
    if cell is None:
        return kind
    found = _kinds.get(type(cell), Kind.JSON)
    if found is Kind.INTEGER and not INTEGER_MIN <= cell <= INTEGER_MAX:
        found = Kind.JSON
    if kind in (None, found):
        return found
    return Kind.NUMBER if {kind, found} == {Kind.INTEGER, Kind.NUMBER} else Kind.JSON


def _is_json(cell: Any) -> bool:
    return cell is None or isinstance(cell, str | int | float | list | dict)
