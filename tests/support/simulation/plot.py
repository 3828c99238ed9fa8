"""The events that a history is likely to have. One without a plot has something of everything."""

import random
from dataclasses import dataclass, field

PROJECTS = ("a", "b", "c")
WORD_KINDS = 10


@dataclass(frozen=True, kw_only=True)
class Plot:
    """The probability of each event at each step; a plot makes sure of what one bug needs."""

    kill: float = 0.06
    jump: float | None = None  # None: in half of the histories
    jumps: tuple[int, ...] = (-3600, -90, 70, 200, 3600)  # seconds of the machine's clock
    withdraw: float = 0.02
    capped: float = 0.0  # of a project: its batches have hours and a budget
    pause: float = 0.05  # of a batch, or that one which is paused goes on
    complete: float = 0.2  # of one that was cancelled: another has all of its results
    again: float = 0.0  # a batch that has ended, by anybody; then all may have others' answers
    erase: float = 0.1  # one that has ended, where batches are asked again
    ask: float = 0.1  # an interactive call, which preempts
    duplicate: float = 0.15  # of a line: it asks what one before it asks
    chain: float = 0.0  # of a line: it waits for some before it
    long: float = 0.4  # of a job: so long that it is ordered in part, and then as a whole
    projects: int | None = None
    processes: int = 1  # on the one data folder; of several, one is killed at a time
    weather: dict[str, float] = field(default_factory=dict)  # in place of what the seed says
    clear: bool = False  # nothing fails by itself

    def jump_of(self, chance: random.Random) -> float:
        return chance.choice([0.0, 0.05]) if self.jump is None else self.jump
