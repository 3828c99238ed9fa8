"""A replica: the engine of a model in one worker, as the others see it. Pure values."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class EngineState(StrEnum):
    """The state of an engine; the last two are final."""

    IDLE = "IDLE"
    STARTING = "STARTING"
    READY = "READY"
    DOWN = "DOWN"
    GIVEN_UP = "GIVEN_UP"
    STOPPED = "STOPPED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """The amount that an engine can do at a time."""

    lanes: int
    work_per_second: float | None  # of all lanes together; None: not measured yet

    @classmethod
    def of(cls, parts: Iterable["Capacity"]) -> "Capacity":
        """Return that of several together; what was not measured is as fast as the others."""
        parts = list(parts)
        lanes = sum(part.lanes for part in parts)
        measured = [(it.lanes, it.work_per_second) for it in parts if it.work_per_second]
        if not measured:
            return cls(lanes=lanes, work_per_second=None)
        speed = sum(each for _, each in measured) / sum(each for each, _ in measured)
        return cls(lanes=lanes, work_per_second=speed * lanes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Replica:
    """One worker's engine of a model."""

    engine: str  # the name of the model in the catalogue
    state: EngineState
    reason: str = ""  # why it is not ready, or gets no further, for people
    lanes: int
    window: int  # requests that keep a lane busy
    work_per_second: float | None = None  # see `Capacity`
    # Of the last quarter of an hour.
    prompt_tokens: int = 0
    cached_tokens: int = 0  # those that were not computed again
    call_p95_seconds: float | None = None  # of interactive calls; None: there was none

    @property
    def capacity(self) -> Capacity:
        return Capacity(lanes=self.lanes, work_per_second=self.work_per_second)
