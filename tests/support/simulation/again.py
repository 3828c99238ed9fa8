"""Batches of a history that are asked again, by anybody, and batches that are erased."""

from typing import TYPE_CHECKING

from support.simulation.api_calls import Refused
from support.simulation.checkers import hold, rows_of_jobs

if TYPE_CHECKING:
    from support.simulation.history import History

AGAIN_MAX = 5


class Again:
    """Makes batches with the lines of others; all of them may have answers of each other."""

    def __init__(self, history: "History") -> None:
        self._history = history
        self._count = 0

    def look(self) -> None:
        """Raise Violated if a batch has an answer that nobody could lend."""
        lent = self._history.server.executions.lent
        hold(that=not lent.violation, so=lent.violation)

    def disturb(self) -> None:
        """Let these things happen, if the plot has them."""
        self.look()
        history = self._history
        if not history.plot.again:
            return
        if history.chance.random() < history.plot.again and self._count < AGAIN_MAX:
            self._ask_again()
        if history.chance.random() < history.plot.erase:
            self._erase()

    def _ended(self) -> list[str]:
        history = self._history
        states = {row["id"]: row["state"] for row in rows_of_jobs(history.server.data)}
        return [job for job in sorted(history.jobs) if states[job] == "SUCCEEDED"]

    def _ask_again(self) -> None:
        history = self._history
        if not (ended := self._ended()):
            return
        job = history.chance.choice(ended)
        project = history.chance.choice(history.projects)
        lines = history.jobs[job]
        self._count += 1
        made = history.create(project, lines, is_inline=False)
        history.note(f"{job} is asked again by project {project}, as {made}")

    def _erase(self) -> None:
        history = self._history
        ended = [job for job in self._ended() if job not in history.completed.values()]
        if not ended:
            return
        job = history.chance.choice(ended)
        history.note(f"{job} is erased")

        async def erase() -> str:
            api = await history.server.api(history.projects_of[job])
            try:
                await api.call("DELETE", f"/v1beta/batches/{job}")
            except Refused as refused:
                if "NOT_FOUND" not in str(refused):  # else it was erased, and nobody heard
                    raise
            return job

        history.insist(erase)
        del history.jobs[job]
        history.withdrawn.discard(job)
        history.server.executions.lent.erased.add(job)
