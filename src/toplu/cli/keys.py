"""`toplu keys`: who may call, and for which project."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from toplu.clock import timestamp
from toplu.job import ProjectId
from toplu.settings.server import load
from toplu.wiring.admin import open_keys

app = typer.Typer(help="Make, list and revoke API keys.", no_args_is_help=True)

DataDirOption = Annotated[Path | None, typer.Option(help="The server's data folder.")]
ConfigOption = Annotated[Path | None, typer.Option(help="TOML file with settings.")]


@app.command()
def create(
    project: Annotated[str, typer.Option(help="The project that the key belongs to.")] = "default",
    label: Annotated[str, typer.Option(help="A note for the list.")] = "",
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
) -> None:
    """Make a key and print it, this once: only its hash is kept."""

    async def make() -> str:
        settings = load(config, overrides={"data_dir": data_dir})
        async with open_keys(settings) as keys:
            return await keys.create(ProjectId(project), label)

    typer.echo(asyncio.run(make()))


@app.command("list")
def list_keys(data_dir: DataDirOption = None, config: ConfigOption = None) -> None:
    """Show every key by its id, never the key itself."""

    async def show() -> None:
        settings = load(config, overrides={"data_dir": data_dir})
        table = Table("id", "project", "label", "begins with", "created", "revoked")
        async with open_keys(settings) as keys:
            for key in await keys.list():
                revoked = timestamp(key.revoked) if key.revoked is not None else ""
                table.add_row(
                    key.id, key.project, key.label, key.prefix, timestamp(key.created), revoked
                )
        Console().print(table)

    asyncio.run(show())


@app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(help="The key's id, as listed.")],
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
) -> None:
    """Make a key invalid; a running server notices within seconds."""

    async def end() -> None:
        settings = load(config, overrides={"data_dir": data_dir})
        async with open_keys(settings) as keys:
            await keys.revoke(key_id)

    asyncio.run(end())
    typer.echo(f"revoked {key_id}")
