"""Batches as they go on, until all of them have ended: live on a terminal, else line by line."""

import asyncio
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

    from toplu.cli.client import Client
from toplu.cli.tables import table_of as table_of_rows
from toplu.errors import Unavailable

SECONDS = 2.0
SILENCES_MAX = 150  # polls in a row without an answer: a server may be started again meanwhile

Operation = dict[str, Any]
COLUMNS = ("batch", "state", "requests", "waits for", "expected", "")


async def watch(client: "Client", names: Sequence[str]) -> list[Operation]:
    """Show the batches until they have ended; return how they stand then."""
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.live import Live

        with Live(console=Console(), auto_refresh=False) as live:
            return await _follow(
                client, names, lambda them: live.update(table_of(them), refresh=True)
            )
    printed: dict[str, str] = {}

    def print_changes(them: Sequence[Operation]) -> None:
        for it in them:
            line = "  ".join(part for part in cells_of(it) if part)
            if printed.get(it["name"]) != line:
                printed[it["name"]] = line
                sys.stdout.write(f"{line}\n")
                sys.stdout.flush()

    return await _follow(client, names, print_changes)


async def _follow(client: "Client", names: Sequence[str], show: Any) -> list[Operation]:
    silences = 0
    while True:
        try:
            found = [await client.call("GET", name) for name in names]
        except Unavailable:
            silences += 1
            if silences == SILENCES_MAX:
                raise
        else:
            silences = 0
            show(found)
            if all(it["done"] for it in found):
                return found
        await asyncio.sleep(SECONDS)


def table_of(operations: Sequence[Operation]) -> "Table":
    """Return a row for each batch."""
    return table_of_rows(COLUMNS, map(cells_of, operations))


def cells_of(operation: Operation) -> tuple[str, ...]:
    """Return name, state, progress, what it waits for, when it may be done, and warnings."""
    metadata = operation["metadata"]
    extension = metadata.get("toplu", {})
    finish = extension.get("expectedFinish")
    notes = [*extension.get("warnings", [])]
    if "error" in operation:
        notes.append(operation["error"]["message"])
    return (
        operation["name"],
        str(metadata["state"]).partition("_STATE_")[2],
        _progress(metadata.get("batchStats", {})),
        _waiting(extension.get("waiting")),
        "" if finish is None else f"{_minute(finish['earliest'])} to {_minute(finish['latest'])}",
        " ".join(notes),
    )


def _progress(stats: dict[str, str]) -> str:
    total, succeeded, failed = (
        int(stats.get(f"{kind}Count", 0))
        for kind in ("request", "successfulRequest", "failedRequest")
    )
    if not total:
        return ""
    failures = f", {failed} failed" if failed else ""
    return f"{succeeded + failed} of {total}{failures}"


def _waiting(waiting: dict[str, Any] | None) -> str:
    if waiting is None:
        return ""
    lanes = waiting["lanes"]
    if waiting["reason"] == "RUNNING":
        return f"runs on {lanes['busy']} of {lanes['total']} lanes"
    place = f" Place {waiting['position']}, {waiting['tokensAhead']} tokens ahead."
    reason = f"{waiting['reason']}: {waiting['message']}"
    return reason + place if waiting["reason"] == "QUEUED" else reason


def _minute(moment: str) -> str:
    """Return an RFC 3339 time without its seconds."""
    return f"{moment[:10]} {moment[11:16]}Z"
