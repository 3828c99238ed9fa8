"""Estimates the work left of a job: from its size, later from its finished requests.

    a guess ──▶ what the engine's answers used ──▶ those of the project ──▶ those of the job

Each one is believed the more, the more answers it has, and corrects the one before it: the
credibility of Bühlmann (Experience rating and credibility, ASTIN Bulletin 4, 1967). All of it is
in rows: any server has the same estimate, and a restart changes none. Pure.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from toplu.job import ANSWERS_OF_A_JOB, Experience, Job, ProjectId
from toplu.money import WORK_OF_OUTPUT_TOKEN, WORK_OF_PROMPT_TOKEN, Kind, Usage
from toplu.store.rows.backlog import Cohort
from toplu.store.rows.shares import Competitor

OUTPUT_TOKENS_GUESSED = 64  # of an answer, before one has come
# So many answers that were measured: how much answers of one kind vary over how much kinds do.
# ShareGPT's lengths vary by 0.66 of their mean, and the means of jobs by about a third of theirs.
GUESS_COUNTS_AS = 4
# What the jobs of all projects are like counts as one job of the project.
JOBS_COUNT_AS = ANSWERS_OF_A_JOB
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

    def knowing(self, experience: Experience, counts_as: float) -> "Foreseen":
        """Return the means after so many answers of the kind; see `credible`."""
        answers, usage = experience.answers, experience.usage
        if not answers:
            return self
        output = usage.output_tokens
        reading = (usage.work - WORK_OF_OUTPUT_TOKEN * output) / max(1, usage.prompt_tokens)
        return Foreseen(
            output_tokens=credible(self.output_tokens, output / answers, answers, counts_as),
            work_of_prompt_token=credible(self.work_of_prompt_token, reading, answers, counts_as),
        )

    def work_of(self, prompt_tokens: float) -> float:
        """Return the work of a request with so long a prompt."""
        prompt_work = self.work_of_prompt_token * prompt_tokens
        return prompt_work + WORK_OF_OUTPUT_TOKEN * self.output_tokens


NOTHING_KNOWN = Foreseen()


def credible(guess: float, measured: float, count: float, counts_as: float) -> float:
    """Return the mean to reckon with: the guess, corrected by the mean of what was measured.

    The guess counts as so many that were measured: how much these vary, over how much a guess is
    wrong by, both squared.
    """
    return guess + count / (count + counts_as) * (measured - guess)


class Expectations:
    """The requests of each project of an engine, as they are expected to be.

    `ended` is the experience with jobs that have ended; those that are unfinished add theirs.
    """

    def __init__(
        self, ended: Mapping[ProjectId, Experience], unfinished: Iterable[Competitor]
    ) -> None:
        self._known = dict(ended)
        for job in unfinished:
            if job.counts.succeeded:
                gained = Experience.of(job.counts, job.usage)
                self._known[job.project] = self._known.get(job.project, Experience()) + gained
        everybody = sum(self._known.values(), Experience())
        self._engine = NOTHING_KNOWN.knowing(everybody, GUESS_COUNTS_AS)

    @property
    def answers(self) -> int:
        """Return how many answers all of it stands on; see `Experience.remembered`."""
        return sum(known.answers for known in self._known.values())

    def answers_of(self, project: ProjectId) -> int:
        """Return how many of them are the project's."""
        return self._known.get(project, Experience()).answers

    def of(self, project: ProjectId) -> Foreseen:
        """Return what a request of the project is expected to be like."""
        return self._engine.knowing(self._known.get(project, Experience()), JOBS_COUNT_AS)


def cost_left(job: Job) -> int:
    """Return what the requests that have no outcome yet cost, in units of the currency."""
    counts = job.counts
    if not counts.total:
        return job.prices.cost(Usage(prompt_tokens=job.tokens_estimate), Kind.BATCH)
    guessed = Usage(
        prompt_tokens=job.tokens_estimate, output_tokens=counts.total * OUTPUT_TOKENS_GUESSED
    )
    each = job.prices.cost(guessed, Kind.BATCH) / counts.total
    if counts.run:
        each = credible(each, job.cost / counts.run, counts.run, GUESS_COUNTS_AS)
    return round(counts.pending * each)


def work_left(job: Job | Competitor | Cohort, expected: Foreseen = NOTHING_KNOWN) -> float:
    """Return the work of the requests that have no outcome yet; see `money.Usage.work`."""
    counts = job.counts
    if not counts.total:
        return 0.0
    each = expected.work_of(job.tokens_estimate / counts.total)
    if counts.run:
        each = credible(each, job.usage.work / counts.run, counts.run, GUESS_COUNTS_AS)
    return counts.pending * each
