"""The requests of a load: which of them are finished, as far as its lanes have come."""

import bisect
import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from support.fake_clock import NOON
from toplu.batch.schedule.estimate import Foreseen
from toplu.job import JobId, ProjectId, RequestCounts
from toplu.money import WORK_OF_OUTPUT_TOKEN, Usage
from toplu.store.rows.shares import Competitor


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a load that a lane has taken; all times are in seconds."""

    begin: float  # behind so much of the load, of the whole engine's time
    seconds: float  # of the whole engine
    at: float  # when the lane took it

    def end(self, now: float, lanes: int) -> float:
        """Return how far the lane has come in the load."""
        return self.begin + min(self.seconds, (now - self.at) / lanes)


class Answers:
    """The answers of a load, one behind the other, by their lengths in tokens."""

    def __init__(self, lengths: Sequence[int], seconds: float, guess: float | None) -> None:
        # Of an answer, before one is finished; None: what the product has learnt of others.
        self.guess = None if guess is None else Foreseen(output_tokens=guess)
        self._tokens = list(itertools.accumulate(lengths, initial=0))
        self._tokens_per_second = self._tokens[-1] / seconds  # of the whole engine
        self._pieces: list[Piece] = []  # that lanes are at
        self._begun = 0.0  # so much was taken
        self._finished = 0  # of pieces that are done, and their tokens
        self._finished_tokens = 0

    @property
    def count(self) -> int:
        return len(self._tokens) - 1

    @property
    def total(self) -> int:
        """The tokens of all answers."""
        return self._tokens[-1]

    def take(self, seconds: float, now: float) -> Piece:
        """Return the next part of the load for a lane."""
        piece = Piece(self._begun, seconds, now)
        self._pieces.append(piece)
        self._begun += seconds
        return piece

    def end(self, piece: Piece) -> None:
        """Take note that the lane is through with the piece."""
        self._pieces.remove(piece)
        count, tokens = self._between(piece.begin, piece.begin + piece.seconds)
        self._finished += count
        self._finished_tokens += tokens

    def as_competitor(self, load: JobId, project: ProjectId, now: float, lanes: int) -> Competitor:
        """Return what the rows of the load say, as far as its answers are finished by now."""
        finished, tokens = self._finished, self._finished_tokens
        for piece in self._pieces:
            more, of_them = self._between(piece.begin, piece.end(now, lanes))
            finished += more
            tokens += of_them
        return Competitor(
            id=load,
            project=project,
            priority=0,
            created=NOON,
            expires=NOON,
            counts=RequestCounts(total=len(self._tokens) - 1, succeeded=finished),
            usage=Usage(output_tokens=tokens),
            tokens_estimate=0,
            planned=True,
            waits=True,
        )

    def _between(self, begin: float, end: float) -> tuple[int, int]:
        """Return how many answers end in a part of the load, and their tokens."""
        first, last = (
            bisect.bisect_right(self._tokens, place * self._tokens_per_second + 1e-3) - 1
            for place in (begin, end)
        )
        return last - first, self._tokens[last] - self._tokens[first]


def work_of(tokens: float) -> float:
    """Return the work of so many tokens of answers."""
    return WORK_OF_OUTPUT_TOKEN * tokens
