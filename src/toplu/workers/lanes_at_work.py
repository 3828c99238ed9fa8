"""The book of which job each lane of this worker works for, and of what rows do not say yet."""

from collections import Counter, defaultdict

from toplu.job import JobId
from toplu.store.rows.workers import AtWork


class LanesAtWork:
    """Kept in memory, where every lane is seen at once; others read of it in rows."""

    def __init__(self, worker: str) -> None:
        self._worker = worker
        self._lanes: defaultdict[str, dict[int, JobId]] = defaultdict(dict)  # by engine, lane
        self._changed: dict[tuple[str, JobId], None] = {}

    def note(self, engine: str, lane: int, job: JobId | None) -> JobId | None:
        """Take note of which job the lane works for and return the one before; None: for none."""
        lanes = self._lanes[engine]
        before = lanes.pop(lane, None)
        if job is not None:
            lanes[lane] = job
        if job != before:
            self._changed |= {(engine, it): None for it in (before, job) if it is not None}
        return before

    def of(self, engine: str, free: int | None = None) -> Counter[JobId]:
        """Return the number of lanes at work for each job, but for the lane `free`."""
        return Counter(job for lane, job in self._lanes[engine].items() if lane != free)

    def take_changes(self) -> list[AtWork]:
        """Return what has changed since it was taken last, to be written with something else.

        What is lost on the way comes with the next heartbeat.
        """
        changed, self._changed = self._changed, {}
        counts = {engine: self.of(engine) for engine, _ in changed}
        return [self._row(engine, job, counts[engine][job]) for engine, job in changed]

    def all(self) -> list[AtWork]:
        """Return what all lanes are at."""
        return [
            self._row(engine, job, lanes)
            for engine in self._lanes
            for job, lanes in self.of(engine).items()
        ]

    def _row(self, engine: str, job: JobId, lanes: int) -> AtWork:
        return AtWork(worker=self._worker, engine=engine, job=job, lanes=lanes)
