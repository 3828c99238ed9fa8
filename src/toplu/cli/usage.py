"""`toplu usage`: what projects used and what it cost, from the ledger."""

import json
from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, TypedDict

import typer

from toplu import money
from toplu.cli.options import ConfigOption, DataDirOption
from toplu.cli.projects import with_books
from toplu.cli.tables import JsonOption, print_table
from toplu.job import ProjectId

if TYPE_CHECKING:
    from toplu.projects.ledger import LabelTotal, Total
    from toplu.wiring.admin import Books

DAYS = ["%Y-%m-%d"]
COLUMNS = ("project", "model", "day", "kind")
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
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show tokens and cost by project, model and day, and by labels where requests have any.

    A batch counts on the day it ended, and a request under each of its labels.
    """
    wanted: _Wanted = {
        "project": None if project is None else ProjectId(project),
        "model": model,
        "first_day": _day_of(first_day),
        "last_day": _day_of(last_day),
    }

    async def read(books: "Books") -> "tuple[list[Total], list[LabelTotal]]":
        return await books.ledger.totals(**wanted), await books.ledger.label_totals(**wanted)

    totals, labels = with_books(data_dir, config, read)
    if as_json:
        by_label = [_record(each.total) | _names(each) for each in labels]
        document = {"totals": [_record(total) for total in totals], "labels": by_label}
        typer.echo(json.dumps(document, indent=2, ensure_ascii=False))
        return
    _print_totals(totals)
    if labels:
        _print_labels(labels)


class _Wanted(TypedDict):
    project: ProjectId | None
    model: str | None
    first_day: str | None
    last_day: str | None


def _day_of(moment: datetime | None) -> str | None:
    return None if moment is None else moment.strftime("%Y-%m-%d")


def _print_totals(totals: "Sequence[Total]") -> None:
    print_table(
        (*COLUMNS, *RIGHT),
        [(*_place_of(total), *_numbers_of([total])) for total in totals],
        right=RIGHT,
        totals=[("total", "", "", "", *_numbers_of(same)) for same in _by_currency(totals)],
    )


def _print_labels(labels: "Sequence[LabelTotal]") -> None:
    print_table(
        ("label", *COLUMNS, *RIGHT),
        [(_label(each), *_place_of(each.total), *_numbers_of([each.total])) for each in labels],
        right=RIGHT,
    )


def _record(total: "Total") -> dict[str, Any]:
    usage = total.usage
    return {
        "project": total.project,
        "model": total.model,
        "day": total.day,
        "kind": str(total.kind),
        "requests": total.requests,
        "prompt_tokens": usage.prompt_tokens,
        "cached_tokens": usage.cached_tokens,
        "output_tokens": usage.output_tokens,
        "reused_requests": usage.reused_requests,
        "reused_tokens": usage.reused_tokens,
        "cost": money.as_text(total.cost_units),
        "currency": total.currency,
    }


def _names(each: "LabelTotal") -> dict[str, str]:
    """Return the label; both are empty for those that are too many to be told apart."""
    return {"label": each.key, "value": each.value}


def _by_currency(totals: "Sequence[Total]") -> "Collection[list[Total]]":
    by_currency: dict[str, list[Total]] = defaultdict(list)
    for total in totals:
        by_currency[total.currency].append(total)
    return by_currency.values()


def _place_of(total: "Total") -> tuple[str, ...]:
    return total.project, total.model, total.day, total.kind


def _label(each: "LabelTotal") -> str:
    return f"{each.key}: {each.value}" if each.key else "(other labels)"


def _numbers_of(totals: "Sequence[Total]") -> tuple[str, ...]:
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
