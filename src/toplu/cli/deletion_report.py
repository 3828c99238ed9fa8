"""The report of a deletion on standard output, for people and for programs."""

import json
from typing import TYPE_CHECKING

import typer

from toplu.cli.tables import print_table
from toplu.clock import timestamp

if TYPE_CHECKING:
    from toplu.deletion.report import Report


def show_report(report: "Report") -> None:
    """Print it as people read it."""
    rows = [(it.kind, str(it.count), f"{it.size_bytes:,}", "gone", "") for it in report.removed]
    rows += [(it.kind, str(it.count), "", "kept", it.reason) for it in report.kept]
    rows += [(it.kind, str(it.count), f"{it.size_bytes:,}", "LEFT", "") for it in report.left]
    print_table(("what", "count", "bytes", "is", "why"), rows, right=("count", "bytes"))
    for note in report.notes:
        typer.echo(note)
    if report.is_proved:
        typer.echo(f"{report.project}: deleted; all rows and places were looked at again")
    else:
        typer.echo(f"{report.project}: is being deleted, and not all of it is gone yet", err=True)


def show_report_as_json(report: "Report") -> None:
    """Print it as programs read it."""
    document = {
        "project": report.project,
        "actor": report.actor,
        "begun": timestamp(report.begun),
        "ended": None if report.ended is None else timestamp(report.ended),
        "looked": timestamp(report.looked),
        "proved": report.is_proved,
        "removed": [
            {"kind": it.kind, "count": it.count, "size_bytes": it.size_bytes}
            for it in report.removed
        ],
        "kept": [{"kind": it.kind, "count": it.count, "reason": it.reason} for it in report.kept],
        "left": [
            {"kind": it.kind, "count": it.count, "size_bytes": it.size_bytes} for it in report.left
        ],
        "notes": list(report.notes),
    }
    typer.echo(json.dumps(document, indent=2, ensure_ascii=False))
