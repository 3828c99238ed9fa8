"""`toplu projects`: which tier each project has, and what it uses of it."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from toplu.cli.tables import print_table
from toplu.job import ProjectId

if TYPE_CHECKING:
    from toplu.wiring.admin import Books

T = TypeVar("T")

app = typer.Typer(
    help="Show projects and change their tiers.", no_args_is_help=True, rich_markup_mode=None
)

COLUMNS = ("project", "tier", "weight", "unfinished batches", "enqueued tokens", "storage bytes")

DataDirOption = Annotated[Path | None, typer.Option(help="The server's data folder.")]
ConfigOption = Annotated[Path | None, typer.Option(help="TOML file with settings.")]


@app.command("list")
def list_projects(data_dir: DataDirOption = None, config: ConfigOption = None) -> None:
    """Show every project with its tier, and what it uses at the moment."""

    async def read(books: "Books") -> list[tuple[str, ...]]:
        return [await _row_of(books, each) for each in await books.quotas.known_projects()]

    print_table(COLUMNS, with_books(data_dir, config, read))


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


async def _row_of(books: "Books", project: ProjectId) -> tuple[str, ...]:
    quotas = books.quotas
    tier = await quotas.tier_of(project)
    holdings = await quotas.holdings(project)
    enqueued = [
        f"{model}: {_of(tokens, tier.enqueued_tokens_for(model))}"
        for model, tokens in holdings.enqueued_tokens.items()
    ]
    return (
        project,
        tier.name,
        str(tier.weight),
        _of(holdings.unfinished_batches, await quotas.concurrent_batches_max(project)),
        "\n".join(enqueued),
        _of(holdings.storage_bytes, await quotas.storage_bytes_max(project)),
    )


def _of(used: int, limit: int | None) -> str:
    return str(used) if limit is None else f"{used} of {limit}"
