"""Remembers the requests that ran, and whose results were sure to stay: none may run again."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence

from support.simulation.asked import texts_of
from support.simulation.checkers import Violated
from support.simulation.lent_answers import LentAnswers
from toplu.store.blobs.records import Record

Place = tuple[str, int]  # a job, and the index of a request in it
# Within which an answer is durable if nothing fails: a group gathers, and is written.
GROUP_SECONDS = 1.0


class Executions:
    """Follows each request of the jobs from its begin to its durable outcome."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._places: dict[str, list[Place]] = defaultdict(list)  # by the text that is asked
        self._durable: set[Place] = set()
        self._answered: dict[str, float] = {}  # by text, when
        self.started: Counter[str] = Counter()
        # A lease that lapses under its holder lets another one begin what is about to be durable.
        self.leases_lapse = False
        self.writes_fail = False
        self.first_start = self.last_end = 0.0
        self.lent = LentAnswers()

    def expect(self, job: str, lines: Sequence[bytes], project: str = "") -> None:
        """Take note of a job with these lines."""
        texts = texts_of(lines)
        self.lent.expect(job, project, texts)
        for index, text in enumerate(texts):
            if text is not None:
                self._places[text].append((job, index))

    def note_start(self, text: str) -> None:
        """Raise Violated if every request that asks this has a durable outcome."""
        self.started[text] += 1
        self.first_start = self.first_start or self._now()
        self._answered.pop(text, None)
        places = self._places.get(text)
        if places and not self.leases_lapse and self._durable.issuperset(places):
            raise Violated(f"{text!r} runs again, and has its outcome")

    def note_end(self, text: str) -> None:
        self.last_end = self._answered[text] = self._now()

    def note_durable(self, job: str, records: Iterable[Record]) -> None:
        records = list(records)
        self._durable.update((job, record.index) for record in records)
        self.lent.note_durable(job, records)

    def look_at_kill(self, over: set[str]) -> None:
        """Raise Violated if more is lost than what runs and one group.

        `over` are the jobs that have ended.
        """
        for text, when in list(self._answered.items()):
            places = [place for place in self._places.get(text, ()) if place[0] not in over]
            is_kept = self._durable.issuperset(places)
            if not is_kept and not self.writes_fail and when < self._now() - GROUP_SECONDS:
                raise Violated(f"{text!r} was answered {self._now() - when:.1f} s ago and is lost")
            if not is_kept:
                # It runs again, once its lease has ended: another kill is not to blame.
                del self._answered[text]
