"""Parquet, by pyarrow; a cell of a type that JSON has not keeps its type on the way to Parquet."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from toplu.errors import ConfigurationError
from toplu.settings.bounds import MIB
from toplu.tables.table import Column, Kind, Row, TableError, check_names, text_of

try:
    import pyarrow as pa
    import pyarrow.parquet as pq
except ImportError as error:
    raise ConfigurationError(
        "Parquet files need pyarrow: install toplu with the extra `tables`, as in "
        "`pip install 'toplu[tables]'`"
    ) from error

ROWS_AT_A_TIME = 1024
ROW_GROUP_ROWS = 16_384
ROW_GROUP_BYTES = 8 * MIB  # of its cells, about
NUMBER_BYTES = 32  # in a list, as Python has it
READ_BYTES = MIB  # of a column at a time, however long its part of a row group is

_TYPES = {
    Kind.TEXT: pa.string(),
    Kind.INTEGER: pa.int64(),
    Kind.NUMBER: pa.float64(),
    Kind.BOOLEAN: pa.bool_(),
    Kind.JSON: pa.string(),
    Kind.VECTOR: pa.list_(pa.float32()),
}


class NativeCell:
    """A value of a type that JSON has not: a time, a decimal number, bytes."""

    __slots__ = ("scalar",)

    def __init__(self, scalar: Any) -> None:
        self.scalar = scalar

    def __str__(self) -> str:
        try:
            return str(self.scalar.cast(pa.string()).as_py())
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            return str(self.scalar)


class ParquetTable:
    """A table that is read a group of rows at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            schema = pq.read_schema(path)
        except (pa.ArrowException, OSError) as error:
            raise TableError(f"{path}: is no Parquet file: {error}") from error
        check_names(path, schema.names)
        self.columns = tuple(_column_of(field) for field in schema)

    def rows(self) -> Iterator[Row]:
        """Yield rows of values."""
        number = 0
        try:
            with pq.ParquetFile(self._path, buffer_size=READ_BYTES) as file:
                for batch in file.iter_batches(batch_size=ROWS_AT_A_TIME):
                    columns = [_cells_of(column) for column in batch.columns]
                    for row in zip(*columns, strict=True):
                        number += 1
                        yield row
        except (pa.ArrowException, OSError) as error:
            place = f"after row {number}"
            raise TableError.at(self._path, place, f"cannot be read: {error}") from error


class ParquetWriter:
    """Writes rows in groups."""

    def __init__(self, file: BinaryIO, columns: Sequence[Column]) -> None:
        self._columns = columns
        self._schema = pa.schema(
            [pa.field(it.name, it.native or _TYPES[it.kind]) for it in columns]
        )
        self._writer = pq.ParquetWriter(file, self._schema)
        self._cells: list[list[Any]] = [[] for _ in columns]
        self._held_bytes = 0

    def write(self, row: Row) -> None:
        """Write a row of as many cells as columns."""
        for column, cells, cell in zip(self._columns, self._cells, row, strict=True):
            stored = _stored(column, cell)
            cells.append(stored)
            self._held_bytes += _size_of(stored)
        if len(self._cells[0]) == ROW_GROUP_ROWS or self._held_bytes > ROW_GROUP_BYTES:
            self._write_group()

    def finish(self) -> None:
        """Write what is still held and the end of the file, which stays open."""
        if self._cells[0]:
            self._write_group()
        self._writer.close()

    def _write_group(self) -> None:
        arrays = [
            pa.array(cells, type=field.type)
            for field, cells in zip(self._schema, self._cells, strict=True)
        ]
        self._writer.write_table(pa.Table.from_arrays(arrays, schema=self._schema))
        for cells in self._cells:
            cells.clear()
        self._held_bytes = 0


def _column_of(field: Any) -> Column:
    native = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
    return Column(field.name, _kind_of(native), native)


def _kind_of(native: Any) -> Kind:
    kinds = (
        (pa.types.is_string, Kind.TEXT),
        (pa.types.is_large_string, Kind.TEXT),
        (pa.types.is_integer, Kind.INTEGER),
        (pa.types.is_floating, Kind.NUMBER),
        (pa.types.is_boolean, Kind.BOOLEAN),
    )
    return next((kind for is_of_kind, kind in kinds if is_of_kind(native)), Kind.JSON)


def _is_json(native: Any) -> bool:
    """Return whether Python's values of the type are such as JSON has."""
    if pa.types.is_nested(native) and not pa.types.is_map(native):
        return all(_is_json(native.field(index).type) for index in range(native.num_fields))
    return pa.types.is_null(native) or _kind_of(native) is not Kind.JSON


def _cells_of(column: Any) -> Sequence[Any]:
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if _is_json(column.type):
        cells: Sequence[Any] = column.to_pylist()
        return cells
    return [NativeCell(scalar) if scalar.is_valid else None for scalar in column]


def _size_of(cell: Any) -> int:
    """Return about how many bytes a cell takes."""
    match cell:
        case str() | bytes():
            return len(cell)
        case list() | dict():
            return NUMBER_BYTES * len(cell)
        case _:
            return NUMBER_BYTES


def _stored(column: Column, cell: Any) -> Any:
    if isinstance(cell, NativeCell):
        return cell.scalar
    if cell is None or column.native is not None:
        return cell
    return text_of(cell) if column.kind in (Kind.TEXT, Kind.JSON) else cell
