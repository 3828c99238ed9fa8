"""Estimates the work left of a job: from its size, later from its finished requests.

    a guess ──▶ what the engine's answers used ──▶ those of the project ──▶ those of the job

Each one is believed the more, the more answers it has, and corrects the one before it: the
credibility of Bühlmann (Experience rating and credibility, ASTIN Bulletin 4, 1967). All of it is
in rows: any server has the same estimate, and a restart changes none. Pure.
"""

from dataclasses import dataclass

from toplu.job import Experience, Job
from toplu.money import WORK_OF_OUTPUT_TOKEN, WORK_OF_PROMPT_TOKEN
from toplu.store.rows.shares import Competitor

OUTPUT_TOKENS_GUESSED = 64  # of an answer, before one has come
# So many answers that were measured: how much answers of one kind vary over how much kinds do.
# ShareGPT's lengths vary by 0.66 of their mean, and the means of jobs by about a third of theirs.
GUESS_COUNTS_AS = 4
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreseen:
    """The means that a request is expected to have, before one of its job is finished."""

    output_tokens: float = OUTPUT_TOKENS_GUESSED
    work_of_prompt_token: float = WORK_OF_PROMPT_TOKEN  # less where much of a prompt is cached

    def knowing(self, experience: Experience) -> "Foreseen":
        """Return the means after so many answers of the kind."""
        answers, usage = experience.answers, experience.usage
        if not answers:
            return self
        output = usage.output_tokens
        prompt_work = usage.work - WORK_OF_OUTPUT_TOKEN * output
        prompt = max(1, usage.prompt_tokens)
        return Foreseen(
            output_tokens=credible(self.output_tokens, output / answers, answers),
            work_of_prompt_token=credible(self.work_of_prompt_token, prompt_work / prompt, answers),
        )

    def work_of(self, prompt_tokens: float) -> float:
        """Return the work of a request with so long a prompt."""
        prompt_work = self.work_of_prompt_token * prompt_tokens
        return prompt_work + WORK_OF_OUTPUT_TOKEN * self.output_tokens


NOTHING_KNOWN = Foreseen()


def credible(guess: float, measured: float, count: float) -> float:
    """Return the mean to reckon with: the guess, corrected by the mean of what was measured."""
    return guess + count / (count + GUESS_COUNTS_AS) * (measured - guess)


def work_left(job: Job | Competitor, expected: Foreseen = NOTHING_KNOWN) -> float:
    """Return the work of the requests that have no outcome yet; see `money.Usage.work`."""
    counts = job.counts
    if not counts.total:
        return 0.0
    each = expected.work_of(job.tokens_estimate / counts.total)
    done = counts.succeeded + counts.failed
    if done:
        each = credible(each, job.usage.work / done, done)
    return counts.pending * each
