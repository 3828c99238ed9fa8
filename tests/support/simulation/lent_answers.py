"""Follows answers from the batch that computed them to those that have them too.

An answer may be of a batch of the same project alone that computed it, and that was not erased
before the batch which has it was made.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from toplu.store.blobs.records import Record


@dataclass(frozen=True)
class _Batch:
    project: str
    texts: Sequence[str | None]  # that its lines ask
    erased: frozenset[str]  # batches that were, when this one was made


@dataclass
class LentAnswers:
    """Remembers who computed what, and the first answer that nobody could have lent."""

    violation: str = ""
    erased: set[str] = field(default_factory=set)
    reused: int = 0
    _batches: dict[str, _Batch] = field(default_factory=dict)
    _computed: dict[str, set[str | None]] = field(default_factory=lambda: defaultdict(set))

    def expect(self, job: str, project: str, texts: Sequence[str | None]) -> None:
        """Take note of a batch."""
        self._batches[job] = _Batch(project, texts, frozenset(self.erased))

    def note_durable(self, job: str, records: Iterable[Record]) -> None:
        """Take note of outcomes, each with whose it is."""
        if (batch := self._batches.get(job)) is None:
            return  # its maker has not heard of it yet
        for record in records:
            text = batch.texts[record.index]
            if not record.usage.reused_requests:
                self._computed[job].add(text)
                continue
            self.reused += 1
            if not any(self._may_lend(each, batch, text) for each in self._batches):
                self.violation = self.violation or f"{job} has an answer to {text!r} of nobody"

    def _may_lend(self, job: str, to: _Batch, text: str | None) -> bool:
        is_there = job not in to.erased and self._batches[job].project == to.project
        return is_there and text in self._computed[job]
