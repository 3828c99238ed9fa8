"""The signals between the steps of the pipeline, and from the calls of clients to them.

    created ──▶ planner     begun ──▶ orderer     planned ──▶ runners
    complete ──▶ assembler                        deleted ──▶ janitor
    dropped, paused ──▶ all that work for the job     engine_changed ──▶ heartbeat
    told ──▶ couriers
    reported ──▶ all that read who is there       called ──▶ who says how many replicas are wanted

Each step would find its work anyway; a signal only spares the wait. It is heard in every process of
the data folder.
"""

from collections.abc import Callable

from toplu.batch.loop import Wakeup
from toplu.job import JobId

# Has the other processes hear a signal, in its words.
Ring = Callable[[str], None]


def ring_nobody(_words: str) -> None:
    """Ring where there is no other process."""


class Signal(Wakeup):
    """A wakeup of a loop, in whichever process it runs."""

    def __init__(self, words: str, ring: Ring) -> None:
        super().__init__()
        self._words = words
        self._ring = ring

    def set(self) -> None:
        self.hear()
        self._ring(self._words)

    def hear(self) -> None:
        """Wake the loop of this process alone."""
        super().set()


class Signals:
    """The wakeups of the loops, and what is to happen when a job is planned or dropped."""

    def __init__(self, ring: Ring = ring_nobody) -> None:
        self._ring = ring
        self.created = Signal("created", ring)
        self.begun = Signal("begun", ring)
        self.complete = Signal("complete", ring)
        self.deleted = Signal("deleted", ring)
        self.told = Signal("told", ring)
        self.engine_changed = Wakeup()  # of this process alone: the others read it in rows
        self._when: dict[str, list[Callable[[], None]]] = {"reported": [], "planned": []}
        self._when_called: list[Callable[[str], None]] = []
        self._when_dropped: list[Callable[[JobId], None]] = []
        self._when_paused: list[Callable[[JobId], None]] = []

    def when_reported(self, listener: Callable[[], None]) -> None:
        """Have the listener called when a worker has written what it is and does."""
        self._when["reported"].append(listener)

    def when_called(self, listener: Callable[[str], None]) -> None:
        """Have the listener called with the name of a model that is called."""
        self._when_called.append(listener)

    def when_planned(self, listener: Callable[[], None]) -> None:
        """Have the listener called when there are shards to lease."""
        self._when["planned"].append(listener)

    def when_dropped(self, listener: Callable[[JobId], None]) -> None:
        """Have the listener called when a job has become final or is gone."""
        self._when_dropped.append(listener)

    def when_paused(self, listener: Callable[[JobId], None]) -> None:
        """Have the listener called when nothing more of a job is to be begun."""
        self._when_paused.append(listener)

    def paused(self, job: JobId) -> None:
        """Nobody is to begin more of the job."""
        self.hear(f"paused {job}")
        self._ring(f"paused {job}")

    def reported(self) -> None:
        """Have all read again who is there: a worker has written what it is and does."""
        self.hear("reported")
        self._ring("reported")

    def called(self, model: str) -> None:
        """Somebody calls the model, whose replicas come and go."""
        self.hear(f"called {model}")
        self._ring(f"called {model}")

    def planned(self) -> None:
        """There are shards to lease."""
        self.hear("planned")
        self._ring("planned")

    def dropped(self, job: JobId) -> None:
        """Nobody is to work for the job any more."""
        self.hear(f"dropped {job}")
        self._ring(f"dropped {job}")

    def hear(self, words: str) -> None:
        """Do here what a signal of any process is for; words that are none do nothing."""
        signal, _, name = words.partition(" ")
        match signal:
            case "created" | "begun" | "complete" | "deleted" | "told":
                heard: Signal = getattr(self, signal)
                heard.hear()
            case "reported" | "planned":
                for listen in self._when[signal]:
                    listen()
            case "called":
                for note in self._when_called:
                    note(name)
            case "dropped":
                for drop in self._when_dropped:
                    drop(JobId(name))
                self.told.hear()  # a job that has become final is something to tell
            case "paused":
                for pause in self._when_paused:
                    pause(JobId(name))
            case _:
                pass

    def hear_all(self) -> None:
        """Have every loop look for work: something has changed, and nobody said what."""
        for words in ("created", "begun", "planned", "complete", "deleted", "told"):
            self.hear(words)
