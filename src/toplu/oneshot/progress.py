"""The progress of a run: a bar with the time that is left, on a terminal and nowhere else."""

import contextlib
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

Operation = dict[str, Any]


class Progress:
    """Shows what a run does; `bar` is None where nobody watches."""

    def __init__(self, bar: "Bar | None") -> None:
        self._bar = bar
        self._task = None if bar is None else bar.add_task("", total=None, failed="")
        self.done = self.failed = self.total = 0  # requests, as last heard

    def say(self, doing: str) -> None:
        """Show what is being done."""
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, description=doing)

    def show(self, operation: Operation) -> None:
        """Show how far the batch is."""
        stats = operation["metadata"].get("batchStats", {})
        self.total, succeeded, self.failed = (
            int(stats.get(f"{kind}Count", 0))
            for kind in ("request", "successfulRequest", "failedRequest")
        )
        self.done = succeeded + self.failed
        if self._bar is not None and self._task is not None:
            failed = f"{self.failed} failed" if self.failed else ""
            self._bar.update(
                self._task, completed=self.done, total=self.total or None, failed=failed
            )


@contextlib.contextmanager
def shown(*, quiet: bool = False) -> Iterator[Progress]:
    """Yield the progress, drawn on standard error if that is a terminal."""
    if quiet or not sys.stderr.isatty():
        yield Progress(None)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    with Bar(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[failed]}"),
        console=Console(stderr=True),
        transient=True,
    ) as bar:
        yield Progress(bar)
