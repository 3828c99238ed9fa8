"""`toplu keys`: makes, lists and revokes the keys of projects."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from toplu.cli.options import ConfigOption, DataDirOption
from toplu.cli.tables import JsonOption, print_records
from toplu.clock import timestamp
from toplu.job import ProjectId

if TYPE_CHECKING:
    from toplu.projects.keys import Keys

T = TypeVar("T")

app = typer.Typer(
    help="Make, list and revoke API keys.", no_args_is_help=True, rich_markup_mode=None
)

COLUMNS = {
    "id": "id",
    "project": "project",
    "label": "label",
    "prefix": "begins with",
    "created": "created",
    "operator": "operator",
    "revoked": "revoked",
}


@app.command()
def create(
    project: Annotated[str, typer.Option(help="The project that the key belongs to.")] = "default",
    label: Annotated[str, typer.Option(help="A note for the list.")] = "",
    *,
    operator: Annotated[
        bool, typer.Option("--operator", help="One that sees every project on the page.")
    ] = False,
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
) -> None:
    """Make a key and print it, this once: only its hash is kept."""
    typer.echo(
        _with_keys(
            data_dir,
            config,
            lambda keys: keys.create(ProjectId(project), label, is_operator=operator),
        )
    )


@app.command("list")
def list_keys(
    data_dir: DataDirOption = None, config: ConfigOption = None, *, as_json: JsonOption = False
) -> None:
    """Show every key by its id, never the key itself."""
    records = [
        {
            "id": key.id,
            "project": key.project,
            "label": key.label,
            "prefix": key.prefix,
            "created": timestamp(key.created),
            "operator": key.is_operator,
            "revoked": None if key.revoked is None else timestamp(key.revoked),
        }
        for key in _with_keys(data_dir, config, lambda keys: keys.list())
    ]
    print_records("keys", records, COLUMNS, as_json=as_json)


@app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(help="The key's id, as listed.")],
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
) -> None:
    """Make a key invalid; a running server notices within seconds."""
    _with_keys(data_dir, config, lambda keys: keys.revoke(key_id))
    typer.echo(f"revoked {key_id}")


def _with_keys(
    data_dir: Path | None, config: Path | None, work: Callable[["Keys"], Awaitable[T]]
) -> T:
    from toplu.settings.load import load
    from toplu.wiring.admin import open_keys

    async def run() -> T:
        async with open_keys(load(config, overrides={"data_dir": data_dir})) as keys:
            return await work(keys)

    return asyncio.run(run())
