"""Estimates the work left of a job: from its size, later from its finished requests."""

from toplu.job import Job
from toplu.money import WORK_OF_OUTPUT_TOKEN, WORK_OF_PROMPT_TOKEN
from toplu.store.rows.shares import Competitor

OUTPUT_TOKENS_GUESSED = 64  # of an answer, before one has come
GUESS_COUNTS_AS = 8  # so many requests that were measured
SHARE_OF_LAST = 0.05  # of the last answer in the mean length, once there are many


class AnswerLength:
    """The mean length of an engine's answers: a guess before one has come."""

    def __init__(self) -> None:
        self._answers = 0
        self.tokens = float(OUTPUT_TOKENS_GUESSED)

    def note(self, tokens: int) -> None:
        """Learn from an answer."""
        self._answers += 1
        share = max(SHARE_OF_LAST, 1 / self._answers)
        self.tokens += share * (tokens - self.tokens)


def work_left(job: Job | Competitor) -> float:
    """Return the work of the requests that have no outcome yet; see `money.Usage.work`."""
    counts = job.counts
    if not counts.total:
        return 0.0
    done = counts.succeeded + counts.failed
    guess = (
        WORK_OF_PROMPT_TOKEN * job.tokens_estimate / counts.total
        + WORK_OF_OUTPUT_TOKEN * OUTPUT_TOKENS_GUESSED
    )
    each = (job.usage.work + GUESS_COUNTS_AS * guess) / (done + GUESS_COUNTS_AS)
    return counts.pending * each
