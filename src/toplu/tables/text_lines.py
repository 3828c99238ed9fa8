"""Plain text: each line is a row of one column, `text`."""

from collections.abc import Iterator
from pathlib import Path

from toplu.tables.table import Column, Kind, Row, TableError, numbered_lines

COLUMN = "text"


class TextTable:
    """The lines of a file without their ends; empty ones are rows too."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.columns = (Column(COLUMN, Kind.TEXT),)

    def rows(self) -> Iterator[Row]:
        """Yield a row for each line."""
        for number, line in numbered_lines(self._path):
            if "\0" in line:
                raise TableError.at(self._path, f"line {number}", "has a NUL character: no text")
            yield [line.removesuffix("\n").removesuffix("\r")]
