"""Tables on standard output, whole even where no terminal says how wide a line may be."""

import sys

from rich.console import Console
from rich.table import Table

WIDE = 240


def print_table(table: Table) -> None:
    """Print the table: as wide as the terminal, or as it needs to be on a pipe."""
    # A number that is cut short is a wrong number.
    Console(width=None if sys.stdout.isatty() else WIDE).print(table)
