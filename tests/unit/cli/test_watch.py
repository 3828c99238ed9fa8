"""The lines of `toplu watch` about a batch."""

from io import StringIO
from typing import Any

from rich.console import Console

from toplu.cli.watch import cells_of, table_of


def operation(**extension: Any) -> dict[str, Any]:
    return {
        "name": "batches/one",
        "done": False,
        "metadata": {
            "state": "BATCH_STATE_RUNNING",
            "batchStats": {
                "requestCount": "10",
                "successfulRequestCount": "3",
                "failedRequestCount": "1",
            },
            "toplu": extension,
        },
    }


def waiting(reason: str) -> dict[str, Any]:
    return {
        "reason": reason,
        "message": "Told [so].",
        "position": 3,
        "tokensAhead": "1200",
        "lanes": {"busy": 2, "total": 4},
    }


def test_a_batch_that_runs_shows_progress_lanes_and_when_it_may_be_done() -> None:
    finish = {"earliest": "2026-11-22T12:00:30.000000Z", "latest": "2026-11-22T13:30:00.000000Z"}
    assert cells_of(operation(waiting=waiting("RUNNING"), expectedFinish=finish)) == (
        "batches/one",
        "RUNNING",
        "4 of 10, 1 failed",
        "runs on 2 of 4 lanes",
        "2026-11-22 12:00Z to 2026-11-22 13:30Z",
        "",
    )


def test_a_batch_that_waits_says_for_what_and_what_is_ahead() -> None:
    cells = cells_of(operation(waiting=waiting("QUEUED"), warnings=["Too late."]))
    assert cells[3:] == ("QUEUED: Told [so]. Place 3, 1200 tokens ahead.", "", "Too late.")
    assert cells_of(operation(waiting=waiting("ENGINE_DOWN")))[3] == "ENGINE_DOWN: Told [so]."


def test_the_table_shows_messages_as_they_are() -> None:
    console = Console(file=StringIO(), width=200)
    console.print(table_of([operation(waiting=waiting("QUEUED"))]))
    assert "Told [so]." in console.file.getvalue()  # type: ignore[attr-defined]


def test_a_batch_of_an_older_server_shows_what_it_has() -> None:
    bare = {"name": "batches/one", "done": True, "metadata": {"state": "JOB_STATE_CANCELLED"}}
    failed = bare | {"error": {"code": 1, "message": "Cancelled."}}
    assert cells_of(failed) == ("batches/one", "CANCELLED", "", "", "", "Cancelled.")
