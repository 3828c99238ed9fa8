"""Fair shares: the work that each project had of an engine, and so which one is next.

Each project has a counter of the work that was done for it, divided by its weight: the virtual
token counter of Sheng and others (arXiv 2401.00588). The lowest counter goes first. Nobody saves
up turns: a project that comes back, or comes for the first time, starts where the lowest of those
that wait stands (`floor`), never below. Pure values: `store.rows.shares` keeps them.
"""

from collections.abc import Iterable, Mapping

from toplu.job import WORK_SCALE, ProjectId, Share


class FairShares:
    """The counters of one engine, seen at one moment."""

    def __init__(self, known: Mapping[ProjectId, Share], weights: Mapping[ProjectId, int]) -> None:
        self._known = known
        self._weights = weights
        self._floor = max((share.started for share in known.values()), default=0)

    def served(self, project: ProjectId) -> int:
        """Return the project's counter, raised to the floor if it was away."""
        share = self._known.get(project)
        return self._floor if share is None else max(share.served, self._floor)

    def weight(self, project: ProjectId) -> int:
        """Return what the project's work is divided by."""
        return self._weights.get(project, 1)

    def virtual(self, project: ProjectId, work: float) -> float:
        """Return by how much so much work raises the project's counter."""
        return work * WORK_SCALE / self.weight(project)

    def floor(self, waiting: Iterable[ProjectId]) -> int:
        """Return the lowest counter of those that wait; it never falls."""
        return min((self.served(project) for project in waiting), default=self._floor)
