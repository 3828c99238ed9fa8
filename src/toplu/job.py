"""A job and its shards: the states they may be in and the moves between them.

PENDING ──▶ RUNNING ──▶ SUCCEEDED
   │           ├──────▶ FAILED
   └───────────┴──────▶ CANCELLED, EXPIRED

Pure values: nothing here reads a clock, a file or the network. `store.rows.jobs` keeps them,
`batch` moves them. FAILED means that the job as a whole could not run; requests that failed
are counted, and their job SUCCEEDS.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NewType

from toplu.errors import RequestError
from toplu.money import FREE, NO_TOKENS, Kind, Prices, Usage

ProjectId = NewType("ProjectId", str)
JobId = NewType("JobId", str)


class JobState(StrEnum):
    """The state of a job; the last four are final."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"

    @property
    def is_final(self) -> bool:
        return self not in UNFINISHED


UNFINISHED = frozenset({JobState.PENDING, JobState.RUNNING})

MOVES: dict[JobState, frozenset[JobState]] = {
    JobState.PENDING: frozenset(
        {JobState.RUNNING, JobState.FAILED, JobState.CANCELLED, JobState.EXPIRED}
    ),
    JobState.RUNNING: frozenset(
        {JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED, JobState.EXPIRED}
    ),
    JobState.SUCCEEDED: frozenset(),
    JobState.FAILED: frozenset(),
    JobState.CANCELLED: frozenset(),
    JobState.EXPIRED: frozenset(),
}


def sources_of(target: JobState) -> frozenset[JobState]:
    """Return the states from which a job may move to `target`; the SQL of each move asks this."""
    return frozenset(source for source, targets in MOVES.items() if target in targets)


# What stopped a part of a batch stopped the batch, in this order.
ENDS = (JobState.EXPIRED, JobState.CANCELLED, JobState.FAILED)


def state_of_parts(states: Collection[JobState]) -> JobState:
    """Return the state of a batch whose jobs are in these states: it has ended when all have."""
    if all(state.is_final for state in states):
        return next((state for state in ENDS if state in states), JobState.SUCCEEDED)
    return JobState.PENDING if set(states) == {JobState.PENDING} else JobState.RUNNING


class InputForm(StrEnum):
    """The form in which the requests came, and so that of the results."""

    INLINE = "INLINE"
    FILE = "FILE"


class Method(StrEnum):
    """The method that every request of a job asks for."""

    GENERATE = "GENERATE"
    EMBED = "EMBED"


class Wire(StrEnum):
    """The API that a job came by; it is listed there, and its files have that API's form."""

    GEMINI = "GEMINI"
    OPENAI = "OPENAI"


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestCounts:
    """The number of requests by outcome; what is neither succeeded nor failed is pending."""

    total: int = 0
    succeeded: int = 0
    failed: int = 0
    deduplicated: int = 0  # of the succeeded, those that another one's answer was right for
    carried: int = 0  # of the succeeded, those that came from the batch which this one takes up

    @property
    def pending(self) -> int:
        return self.total - self.succeeded - self.failed

    @property
    def run(self) -> int:
        """The number of requests that have an outcome of this job's own."""
        return self.succeeded + self.failed - self.carried


# An estimate, for the quota of enqueued tokens: the input is not read before it is accepted.
BYTES_OF_A_TOKEN = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A batch that we hold."""

    id: JobId
    project: ProjectId
    model: str  # as the client asked for it, without `models/`
    engine: str  # the catalogue name that `model` stood for at creation
    method: Method = Method.GENERATE
    wire: Wire = Wire.GEMINI
    wire_details: bytes | None = None  # what that API alone knows of it, as it wrote it
    display_name: str | None
    input_form: InputForm
    input_file: str | None  # the id of the uploaded file, for `InputForm.FILE`
    state: JobState = JobState.PENDING
    counts: RequestCounts = field(default_factory=RequestCounts)
    prices: Prices = FREE  # of the model when the batch was created
    usage: Usage = NO_TOKENS  # of the requests that are counted
    tokens_estimate: int = 0  # of the whole input, before it is read
    planned: bool = False  # the input has been read through once and cut into shards
    created: datetime
    updated: datetime
    started: datetime | None = None  # when its first shard was leased
    ended: datetime | None = None
    priority: int = 0  # among the jobs of its project, the higher first
    paused: bool = False  # nothing of it is begun, until its client resumes it
    reuse: bool = False  # it gives answers to, and has answers of, such batches of its project
    expires: datetime  # when the job turns EXPIRED unless it is final by then
    webhook_config: bytes | None = None  # who is to be told of its end, in place of webhooks
    output_file: str | None = None  # the id of the results file, for `InputForm.FILE`
    input_sha256: str | None = None  # of the input as it came, or of its lines if it came inline
    output_sha256: str | None = None  # of the results in input order
    input_origin: bytes | None = None  # the InputOrigin of an input that was fetched, as JSON
    computed_by: bytes | None = None  # what its answers were, as a JSON list of Reproducibility
    part_of: JobId | None = None  # the job of the same batch that clients know it by
    retry_of: JobId | None = None  # the job that this one runs the rest of
    retried_by: JobId | None = None  # the job that runs the rest of this one
    error: RequestError | None = None  # why the job FAILED, was CANCELLED or EXPIRED

    @property
    def cost(self) -> int:
        """The cost so far, in units of the currency, at the prices of its creation."""
        return self.prices.cost(self.usage, Kind.BATCH)

    @property
    def batch(self) -> JobId:
        """The id by which clients know the batch that it is, or is a part of."""
        return self.part_of or self.id

    @property
    def is_final(self) -> bool:
        return self.state.is_final


# Lines that wait for lines run in waves, one after another: numbers of shards say in which.
WAVES_MAX = 16
WAVE_SHARDS = 2**26
# Shards with these numbers hold responses of another job, and are done from the start.
CARRIED_FROM = 2**31


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """A slice of the order of one job, leased as one piece."""

    job: JobId
    number: int  # shards of a wave are numbered in the order of execution
    first: int  # place of the first request in the order of its wave, from 0
    count: int
    succeeded: int = 0
    failed: int = 0
    deduplicated: int = 0  # of the succeeded
    usage: Usage = NO_TOKENS
    epoch: int = 0  # how often the shard has been leased

    @property
    def is_done(self) -> bool:
        return self.succeeded + self.failed == self.count

    @property
    def is_carried(self) -> bool:
        return self.number >= CARRIED_FROM

    @property
    def wave(self) -> int:
        """The wave of its requests; 0: they wait for no others."""
        return 0 if self.is_carried else self.number // WAVE_SHARDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A worker's dated, numbered hold on a shard; every write of results carries it."""

    job: Job
    shard: Shard  # its `epoch` is the lease's
    owner: str  # the server instance that holds it
    expires: datetime


WORK_SCALE = 1000  # shares are whole numbers, also after the division by a weight


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """The work that a project had of an engine; the last two are work · WORK_SCALE / weight."""

    weight: int = 1
    served: int = 0  # a counter of what was done for the project
    started: int = 0  # the lowest counter of those that waited when the project last had a turn


# So many say what a job is like; a huge one says no more of the next than a small one.
ANSWERS_OF_A_JOB = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Experience:
    """A number of answers, and what they used: what the next ones are expected to be like."""

    answers: int = 0
    usage: Usage = NO_TOKENS

    @classmethod
    def of(cls, counts: RequestCounts, usage: Usage) -> "Experience":
        """Return that of one job, as far as it has come."""
        others = counts.deduplicated + counts.carried + usage.reused_requests
        answers = counts.succeeded - others
        return cls(answers=answers, usage=usage).remembered(ANSWERS_OF_A_JOB)

    def __add__(self, other: "Experience") -> "Experience":
        return Experience(answers=self.answers + other.answers, usage=self.usage + other.usage)

    def remembered(self, answers_max: int) -> "Experience":
        """Return the same means, as if there had been no more answers than that."""
        if self.answers <= answers_max:
            return self
        usage = Usage(
            prompt_tokens=self.usage.prompt_tokens * answers_max // self.answers,
            cached_tokens=self.usage.cached_tokens * answers_max // self.answers,
            output_tokens=self.usage.output_tokens * answers_max // self.answers,
        )
        return Experience(answers=answers_max, usage=usage)
