"""Tables on standard output, whole even where no terminal says how wide a line may be."""

import sys
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

WIDE = 240


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
