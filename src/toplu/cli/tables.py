"""Tables on standard output, whole even where no terminal says how wide a line may be."""

import json
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.table import Table

WIDE = 240

JsonOption = Annotated[bool, typer.Option("--json", help="One JSON document, for programs.")]


def print_records(
    name: str,
    records: Sequence[Mapping[str, Any]],
    columns: Mapping[str, str],
    *,
    as_json: bool,
    right: Collection[str] = (),
) -> None:
    """Print records as a table for people, or as `{name: records}` for programs.

    `columns` has the title of each field that the table shows; those `right` are numbers.
    """
    if as_json:
        typer.echo(json.dumps({name: records}, indent=2, ensure_ascii=False))
        return
    rows = [[_cell(record[field]) for field in columns] for record in records]
    print_table(tuple(columns.values()), rows, right={columns[field] for field in right})


def _cell(value: Any) -> str:
    match value:
        case None:
            return ""
        case list():
            return ", ".join(map(str, value))
        case _:
            return str(value)


def print_table(
    columns: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    right: Collection[str] = (),
    totals: Iterable[Sequence[str]] = (),
) -> None:
    """Print the table: as wide as the terminal, or as it needs to be on a pipe.

    Columns of these names are aligned on the `right`; the totals stand below a line.
    """
    from rich.console import Console

    # A number that is cut short is a wrong number.
    console = Console(width=None if sys.stdout.isatty() else WIDE)
    console.print(table_of(columns, rows, right=right, totals=totals))


def table_of(
    columns: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    right: Collection[str] = (),
    totals: Iterable[Sequence[str]] = (),
) -> "Table":
    """Return the table that `print_table` prints."""
    from rich.table import Table
    from rich.text import Text

    table = Table()
    for name in columns:
        table.add_column(name, justify="right" if name in right else "left")
    for section in (rows, totals):
        for row in section:
            # As text: what a cell has in square brackets is no style.
            table.add_row(*(Text(cell) for cell in row))
        table.add_section()
    return table
