"""`toplu usage`: what projects used and what it cost, from the ledger."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, TypedDict

import typer
from rich.table import Table
from rich.text import Text

from toplu import money
from toplu.cli.tables import print_table
from toplu.job import ProjectId
from toplu.projects.ledger import LabelTotal, Total
from toplu.settings.server import load
from toplu.wiring.admin import open_books

DAYS = ["%Y-%m-%d"]
RIGHT = ("requests", "prompt tokens", "of them cached", "output tokens", "cost")


def show_usage(
    *,
    project: Annotated[str | None, typer.Option(help="Of this project only.")] = None,
    model: Annotated[
        str | None, typer.Option(help="Of this model of the catalogue only, by its own name.")
    ] = None,
    first_day: Annotated[
        datetime | None, typer.Option("--from", formats=DAYS, help="The first day, in UTC.")
    ] = None,
    last_day: Annotated[
        datetime | None, typer.Option("--to", formats=DAYS, help="The last day, in UTC.")
    ] = None,
    data_dir: Annotated[Path | None, typer.Option(help="The server's data folder.")] = None,
    config: Annotated[Path | None, typer.Option(help="TOML file with settings.")] = None,
) -> None:
    """Show tokens and cost by project, model and day, and by labels where requests have any.

    A batch counts on the day it ended, and a request under each of its labels.
    """

    async def show() -> None:
        settings = load(config, overrides={"data_dir": data_dir})
        async with open_books(settings) as books:
            wanted: _Wanted = {
                "project": None if project is None else ProjectId(project),
                "model": model,
                "first_day": _day_of(first_day),
                "last_day": _day_of(last_day),
            }
            totals = await books.ledger.totals(**wanted)
            labels = await books.ledger.label_totals(**wanted)
        print_table(_table_of(totals))
        if labels:
            print_table(_table_of_labels(labels))

    asyncio.run(show())


class _Wanted(TypedDict):
    project: ProjectId | None
    model: str | None
    first_day: str | None
    last_day: str | None


def _day_of(moment: datetime | None) -> str | None:
    return None if moment is None else moment.strftime("%Y-%m-%d")


def _table_of(totals: Sequence[Total]) -> Table:
    table = Table("project", "model", "day", "kind")
    for name in RIGHT:
        table.add_column(name, justify="right")
    for total in totals:
        table.add_row(total.project, total.model, total.day, total.kind, *_numbers_of([total]))
    by_currency: dict[str, list[Total]] = defaultdict(list)
    for total in totals:
        by_currency[total.currency].append(total)
    table.add_section()
    for same in by_currency.values():
        table.add_row("total", "", "", "", *_numbers_of(same))
    return table


def _table_of_labels(labels: Sequence[LabelTotal]) -> Table:
    table = Table("label", "project", "model", "day", "kind")
    for name in RIGHT:
        table.add_column(name, justify="right")
    for each in labels:
        label = Text(f"{each.key}: {each.value}" if each.key else "(other labels)")
        total = each.total
        table.add_row(
            label, total.project, total.model, total.day, total.kind, *_numbers_of([total])
        )
    return table


def _numbers_of(totals: Sequence[Total]) -> tuple[str, ...]:
    """Return the sums of totals in one currency."""
    usage = money.total(each.usage for each in totals)
    cost = money.as_text(sum(total.cost_units for total in totals))
    return (
        str(sum(total.requests for total in totals)),
        str(usage.prompt_tokens),
        str(usage.cached_tokens),
        str(usage.output_tokens),
        f"{cost} {totals[0].currency}",
    )
