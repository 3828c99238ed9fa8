"""The signals between the steps of the pipeline, and from the calls of clients to them.

    created ──▶ planner     begun ──▶ orderer     planned ──▶ runners
    complete ──▶ assembler                        deleted ──▶ janitor
    dropped ──▶ all that work for the job

Each step would find its work anyway; a signal only spares the wait.
"""

from collections.abc import Callable

from toplu.batch.loop import Wakeup
from toplu.job import JobId


class Signals:
    """The wakeups of the loops, and what is to happen when a job is planned or dropped."""

    def __init__(self) -> None:
        self.created = Wakeup()
        self.begun = Wakeup()
        self.complete = Wakeup()
        self.deleted = Wakeup()
        self._when_planned: list[Callable[[], None]] = []
        self._when_dropped: list[Callable[[JobId], None]] = []

    def when_planned(self, listener: Callable[[], None]) -> None:
        """Have the listener called when there are shards to lease."""
        self._when_planned.append(listener)

    def when_dropped(self, listener: Callable[[JobId], None]) -> None:
        """Have the listener called when a job has become final or is gone."""
        self._when_dropped.append(listener)

    def planned(self) -> None:
        """There are shards to lease."""
        for listener in self._when_planned:
            listener()

    def dropped(self, job: JobId) -> None:
        """Nobody is to work for the job any more."""
        for listener in self._when_dropped:
            listener(job)
