"""Says how many replicas of a model are wanted, by the work that waits for them. Pure.

    work waiting ÷ (speed of one * time to the nearest target) ──▶ needed ──▶ wanted
                                                      the most of the last `idle_seconds`

More are wanted at once, fewer when fewer have been enough for so long: what is needed comes and
goes with each batch, and a model takes minutes to load. No replica is wanted when nothing waited
all that time.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from toplu.batch.schedule.due_work import DueWork, replicas_wanted
from toplu.settings.model import ModelSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """All that asks for replicas of a model, and those that there are."""

    due: Sequence[DueWork] = ()
    of_one: float | None = None  # work that one does in a second; None: nobody knows
    is_called: bool = False  # an interactive call is there, or was a moment ago
    there: int = 0  # replicas, in whatever state
    ready: int = 0  # of these


def needed(demand: Demand, now: datetime) -> int:
    """Return how many replicas would have all work done by its targets."""
    if not any(it.work for it in demand.due):
        return int(demand.is_called)
    if not demand.of_one:
        # As many as there are, as long as nobody knows how fast one is.
        return max(1, demand.ready)
    return max(1, replicas_wanted(demand.due, now, demand.of_one))


class Policy:
    """The numbers of replicas that are wanted, with what was needed of late in mind."""

    def __init__(self, models: Sequence[ModelSettings]) -> None:
        self._models = models
        self._needs = {it.name: _Needs(it.idle_seconds) for it in models if it.is_elastic}

    def wanted(self, demands: Mapping[str, Demand], now: datetime) -> dict[str, int]:
        """Return the number of each model; one without bounds is told as it is needed."""
        return {
            model.name: self._of(model, demands.get(model.name, Demand()), now)
            for model in self._models
        }

    def _of(self, model: ModelSettings, demand: Demand, now: datetime) -> int:
        number = needed(demand, now)
        if model.replicas_max is None:
            return number
        needs = self._needs[model.name]
        if needs.is_new:
            # They were needed until now, as far as anybody knows who begins to look.
            needs.note(demand.there, now)
        needs.note(number, now)
        return min(max(needs.most(), model.replicas_min), model.replicas_max)


class _Needs:
    """The numbers that were needed within a while: those that no later one is as large as."""

    def __init__(self, seconds: float) -> None:
        self._memory = timedelta(seconds=seconds)
        self._noted: deque[tuple[datetime, int]] = deque()  # older and larger ones first

    @property
    def is_new(self) -> bool:
        return not self._noted

    def note(self, number: int, now: datetime) -> None:
        # The clock may have been put back.
        noted = [(min(when, now), it) for when, it in self._noted if it > number]
        self._noted = deque([*noted, (now, number)])
        while self._noted[0][0] <= now - self._memory:
            self._noted.popleft()

    def most(self) -> int:
        return self._noted[0][1]
