"""`toplu audit`: who did what, newest first."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from toplu.cli.options import ConfigOption, DataDirOption
from toplu.cli.projects import with_books
from toplu.cli.tables import JsonOption, print_table
from toplu.clock import timestamp
from toplu.job import ProjectId

if TYPE_CHECKING:
    from toplu.projects.audit_log import AuditEntry
    from toplu.wiring.admin import Books

TIMES = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]
COLUMNS = ("time", "project", "by", "action", "name", "detail", "from", "call")


def audit(
    *,
    project: Annotated[str | None, typer.Option(help="Of this project only.")] = None,
    since: Annotated[
        datetime | None, typer.Option(formats=TIMES, help="From this day or time on, in UTC.")
    ] = None,
    action: Annotated[
        str | None, typer.Option(help="Of this kind only: batch.read, or batch for all of it.")
    ] = None,
    limit: Annotated[int, typer.Option(help="How many entries, 1000 at most.")] = 100,
    page: Annotated[str | None, typer.Option(help="Go on behind a page, by its token.")] = None,
    data_dir: DataDirOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show who created, ended, deleted and read things, and changed keys."""
    from toplu.projects.audit_log import actions_of

    async def read(books: "Books") -> "tuple[list[AuditEntry], str | None]":
        return await books.audit.page(
            size=limit,
            project=None if project is None else ProjectId(project),
            since=None if since is None else since.replace(tzinfo=UTC),
            actions=() if action is None else actions_of(action),
            token=page,
        )

    entries, token = with_books(data_dir, config, read)
    if as_json:
        import json

        document = {"entries": [record_of(entry) for entry in entries], "next_page": token}
        typer.echo(json.dumps(document, indent=2, ensure_ascii=False))
        return
    print_table(COLUMNS, [tuple(map(_cell, record_of(it).values())) for it in entries])
    if token is not None:
        typer.echo(f"There are more: --page {token}")


def record_of(entry: "AuditEntry") -> dict[str, Any]:
    """Return the entry as programs read it."""
    return {
        "time": timestamp(entry.at),
        "project": entry.project,
        "actor": entry.actor,
        "action": str(entry.action),
        "name": entry.name,
        "detail": entry.detail,
        "client": entry.client,
        "call": entry.call,
    }


def _cell(value: str | None) -> str:
    return value or ""
