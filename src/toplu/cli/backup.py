"""`toplu backup` and `toplu restore`: a copy of everything that a server keeps, and back."""

import json
from pathlib import Path
from typing import Annotated

import msgspec
import typer
import uvloop

from toplu.cli.options import ConfigOption
from toplu.cli.processes import DataDir
from toplu.cli.tables import JsonOption
from toplu.settings.load import load

UNBALANCED = 1


def backup(
    target: Annotated[Path, typer.Argument(metavar="DIR", help="A folder that is not there yet.")],
    *,
    data_dir: DataDir = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Copy all that a server keeps, while it runs; the copy is one moment of it.

    Exit status 1: it is written, and receipts of batches in it do not balance.
    """
    from toplu.backup.taking import take_backup

    taken = uvloop.run(take_backup(load(config, overrides={"data_dir": data_dir}), target))
    if as_json:
        typer.echo(json.dumps(msgspec.to_builtins(taken), indent=2))
    else:
        typer.echo(
            f"{target}: {taken.batches} batches, {taken.files} files, {taken.size_bytes:,} bytes; "
            f"{taken.receipts - len(taken.unbalanced)} of {taken.receipts} receipts balance"
        )
    for name in taken.unbalanced:
        typer.echo(f"{name}: its receipt does not balance", err=True)
    if taken.unbalanced:
        raise typer.Exit(UNBALANCED)


def restore(
    source: Annotated[Path, typer.Argument(metavar="DIR", help="A backup.")],
    *,
    data_dir: DataDir = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put a backup back, into a data folder that is empty or not there."""
    from toplu.backup.restoring import restore_backup

    root = load(config, overrides={"data_dir": data_dir}).data_dir
    restored = restore_backup(source, root)
    if as_json:
        typer.echo(json.dumps(msgspec.to_builtins(restored), indent=2))
        return
    typer.echo(
        f"{root}: as it was at {restored.created}, {restored.size_bytes:,} bytes; start it with "
        f"`toplu serve --data-dir {root}`"
    )
