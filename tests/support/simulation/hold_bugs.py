"""Planted bugs of what keeps batches from going on: pauses, hours, budgets."""

from contextlib import AbstractContextManager
from typing import Any
from unittest import mock

from support.simulation.plot import Plot
from toplu.projects.terms import Terms
from toplu.run_hours import RunHours
from toplu.store.rows import progress
from toplu.store.rows.jobs import JobRows


def a_pause_is_forgotten() -> AbstractContextManager[Any]:
    amend = JobRows.amend

    async def forgetful(self: JobRows, project: Any, job: Any, changes: Any, *more: Any) -> Any:
        kept = {name: value for name, value in changes.items() if name != "paused"}
        return await amend(self, project, job, kept or {"priority": 0}, *more)

    return mock.patch.object(JobRows, "amend", forgetful)


def hours_are_not_kept() -> AbstractContextManager[Any]:
    hold = Terms.hold
    always = mock.patch.object(RunHours, "is_open", return_value=True)

    def hasty(self: Terms, *question: Any) -> Any:
        with always:
            return hold(self, *question)

    return mock.patch.object(Terms, "hold", hasty)


def budgets_are_not_kept() -> AbstractContextManager[Any]:
    return mock.patch.object(Terms, "is_day_used_up", new=False)


def results_are_not_paid() -> AbstractContextManager[Any]:
    return mock.patch.object(progress, "add_spending")


BUGS = (a_pause_is_forgotten, hours_are_not_kept, budgets_are_not_kept, results_are_not_paid)
CAPPED = Plot(
    capped=1.0,
    projects=1,
    duplicate=0.0,
    pause=0.0,
    withdraw=0.0,
    kill=0.0,
    jump=0.0,
    long=1.0,
    clear=True,
)
PLOTS: dict[str, Plot] = {
    "a_pause_is_forgotten": Plot(pause=0.5, withdraw=0.0, clear=True),
    "hours_are_not_kept": CAPPED,
    "budgets_are_not_kept": CAPPED,
    "results_are_not_paid": CAPPED,
}
