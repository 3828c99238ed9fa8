"""`toplu projects`: which tier each project has, and what it uses of it."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from toplu.cli.deletion_report import show_report, show_report_as_json
from toplu.cli.options import ConfigOption, DataDirOption
from toplu.cli.tables import JsonOption, print_records
from toplu.job import ProjectId

if TYPE_CHECKING:
    from toplu.deletion.report import Report
    from toplu.wiring.admin import Books

T = TypeVar("T")

app = typer.Typer(
    help="Show projects, change their tiers, delete them.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

NOT_GONE = 1
NAME_LENGTH = 16
COLUMNS = {
    "project": "project",
    "tier": "tier",
    "weight": "weight",
    "unfinished_batches": "unfinished batches",
    "enqueued_tokens": "enqueued tokens",
    "storage_bytes": "storage bytes",
}


@app.command("list")
def list_projects(
    data_dir: DataDirOption = None, config: ConfigOption = None, *, as_json: JsonOption = False
) -> None:
    """Show every project with its tier, and what it uses at the moment."""

    async def read(books: "Books") -> list[dict[str, Any]]:
        return [await _record_of(books, each) for each in await books.quotas.known_projects()]

    records = with_books(data_dir, config, read)
    if not as_json:
        records = [_shown(record) for record in records]
    print_records("projects", records, COLUMNS, as_json=as_json)


@app.command("set")
def set_tier(
    project: Annotated[str, typer.Argument(help="The project; it need not exist yet.")],
    tier: Annotated[str, typer.Option(help="A tier of the settings, by its name.")],
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
) -> None:
    """Give a project a tier; a running server follows within seconds."""
    with_books(data_dir, config, lambda books: books.quotas.set_tier(ProjectId(project), tier))
    typer.echo(f"{project} has tier {tier}")


@app.command()
def delete(
    project: Annotated[str, typer.Argument(help="The project.")],
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Delete a project with all that it has, and say what is gone, what is kept, and what is left.

    Running batches are ended first. Exit status 1: not all of it is gone yet; the server goes on,
    and so does this command when it is called again.
    """
    if not yes:
        typer.confirm(f"Delete {project} with all that it has, for good?", abort=True, err=True)
    report = _delete(data_dir, config, ProjectId(project))
    show = show_report_as_json if as_json else show_report
    show(report)
    if not report.is_proved:
        raise typer.Exit(NOT_GONE)


def _delete(data_dir: Path | None, config: Path | None, project: ProjectId) -> "Report":
    import msgspec

    from toplu.clock import random_id
    from toplu.serving.records.logs import configure_logs
    from toplu.serving.sockets.bell import Bell
    from toplu.serving.sockets.socket_folder import socket_folder
    from toplu.settings.load import load
    from toplu.wiring.admin import open_deletion
    from toplu.wiring.storage import open_folder

    settings = load(config, overrides={"data_dir": data_dir})
    configure_logs(msgspec.structs.replace(settings, log_level="warning"))

    async def run() -> "Report":
        open_folder(settings)
        bell = Bell(socket_folder(settings.data_dir), random_id(NAME_LENGTH))
        with contextlib.closing(bell):
            async with open_deletion(settings, bell.ring) as deletion:
                return await deletion.run(project)

    return asyncio.run(run())


def with_books(
    data_dir: Path | None, config: Path | None, work: Callable[["Books"], Awaitable[T]]
) -> T:
    """Return what the work with the books of the data folder returns."""
    from toplu.settings.load import load
    from toplu.wiring.admin import open_books

    async def run() -> T:
        async with open_books(load(config, overrides={"data_dir": data_dir})) as books:
            return await work(books)

    return asyncio.run(run())


async def _record_of(books: "Books", project: ProjectId) -> dict[str, Any]:
    quotas = books.quotas
    tier = await quotas.tier_of(project)
    holdings = await quotas.holdings(project)
    return {
        "project": project,
        "tier": tier.name,
        "weight": tier.weight,
        "unfinished_batches": _part(
            holdings.unfinished_batches, await quotas.concurrent_batches_max(project)
        ),
        "enqueued_tokens": {
            model: _part(tokens, tier.enqueued_tokens_for(model))
            for model, tokens in holdings.enqueued_tokens.items()
        },
        "storage_bytes": _part(holdings.storage_bytes, await quotas.storage_bytes_max(project)),
    }


def _part(used: int, limit: int | None) -> dict[str, int | None]:
    return {"used": used, "limit": limit}


def _shown(record: dict[str, Any]) -> dict[str, Any]:
    """Return the record as people read it: so much of so much."""
    enqueued = "\n".join(f"{model}: {_of(it)}" for model, it in record["enqueued_tokens"].items())
    parts = {name: _of(record[name]) for name in ("unfinished_batches", "storage_bytes")}
    return record | parts | {"enqueued_tokens": enqueued}


def _of(part: dict[str, int | None]) -> str:
    used, limit = part["used"], part["limit"]
    return str(used) if limit is None else f"{used} of {limit}"
