"""The report of a deletion: what is gone, what is kept and why, what a last look found."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from toplu.job import ProjectId
from toplu.store.rows.deletions import Removed

__all__ = ["Found", "Kept", "Removed", "Report"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Things that stay when a project goes."""

    kind: str
    count: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Things that ought to be gone and were found."""

    kind: str
    count: int
    size_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The report of one deletion, as of the last look."""

    project: ProjectId
    actor: str  # who began it
    begun: datetime
    ended: datetime | None  # None: it goes on
    looked: datetime  # at all rows and places again
    removed: Sequence[Removed]
    kept: Sequence[Kept]
    left: Sequence[Found]  # nothing, once it has ended
    notes: Sequence[str] = field(default=())  # what else there is to know

    @property
    def is_proved(self) -> bool:
        """Whether it has ended, and the last look found nothing."""
        return self.ended is not None and not self.left
