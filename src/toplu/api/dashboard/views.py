"""Batches and their results as templates show them. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import msgspec

from toplu.batch.results.browsing import Result
from toplu.batch.results.whole import whole_of
from toplu.batch.schedule.wait_status import WaitStatus
from toplu.errors import Code, RequestError
from toplu.job import Job, JobState
from toplu.money import Kind
from toplu.wire.gemini import jsonl

STATES = {
    JobState.PENDING: "waiting",
    JobState.RUNNING: "running",
    JobState.SUCCEEDED: "done",
    JobState.FAILED: "failed",
    JobState.CANCELLED: "cancelled",
    JobState.EXPIRED: "expired",
}
SHOWN_LINE_MAX = 4_000  # characters of a line that is opened
SHOWN_TEXT_MAX = 300  # of an answer in a row
READ_BYTES_MAX = 1024 * 1024  # a line beyond is shown as it begins, and not read


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchView:
    """A batch, whether it is one job or one for each engine."""

    job: Job  # which stands for it as a whole
    jobs: Sequence[Job]
    waiting: WaitStatus | None

    @classmethod
    def of(cls, jobs: Sequence[Job], waiting: WaitStatus | None) -> "BatchView":
        return cls(job=whole_of(jobs), jobs=jobs, waiting=waiting)

    @property
    def id(self) -> str:
        return self.job.id

    @property
    def name(self) -> str:
        return self.job.display_name or self.job.id[:12]

    @property
    def state(self) -> str:
        return "paused" if self.is_paused else STATES[self.job.state]

    @property
    def is_paused(self) -> bool:
        return self.job.paused and not self.job.is_final

    @property
    def done(self) -> int:
        return self.job.counts.succeeded + self.job.counts.failed

    @property
    def may_retry(self) -> bool:
        return self.job.is_final and self.job.counts.succeeded < self.job.counts.total

    @property
    def why(self) -> str:
        """Return what it waits for, or what came of it."""
        if self.waiting is None:
            error = self.job.error
            return "" if error is None else error.message
        if self.waiting.lanes:
            return f"runs on {self.waiting.lanes} of {self.waiting.lanes_of_engine} lanes"
        return self.waiting.message

    @property
    def finish(self) -> tuple[datetime, datetime] | None:
        return None if self.waiting is None else self.waiting.finish

    @property
    def models(self) -> str:
        return ", ".join(dict.fromkeys(job.model for job in self.jobs))

    @property
    def cost(self) -> int:
        return sum(job.cost for job in self.jobs)

    @property
    def saved_by_prefix(self) -> int:
        """Return what the cached tokens would have cost more, had they been computed."""
        uncached = [
            replace(job.usage, cached_tokens=0, discarded_cached_tokens=0) for job in self.jobs
        ]
        full = sum(
            job.prices.cost(usage, Kind.BATCH)
            for job, usage in zip(self.jobs, uncached, strict=True)
        )
        return max(0, full - self.cost)

    @property
    def saved_by_price(self) -> int:
        """Return what interactive calls would have cost more."""
        full = sum(job.prices.cost(job.usage, Kind.INTERACTIVE) for job in self.jobs)
        return max(0, full - self.cost)

    @property
    def cached_share(self) -> float:
        """Return how much of the prompts was not computed again, as a part of one."""
        usage = self.job.usage
        return usage.cached_tokens / usage.prompt_tokens if usage.prompt_tokens else 0.0

    @property
    def steps(self) -> list[tuple[str, datetime | None]]:
        """Return its timeline: what has happened with the time, and what has not."""
        return [
            ("created", self.job.created),
            ("running", self.job.started),
            (self.state if self.job.is_final else "done", self.job.ended),
        ]


class _Line(msgspec.Struct, frozen=True):
    """The parts of a result that a row shows."""

    key: str | int | float | None = None
    response: msgspec.Raw = msgspec.Raw(b"null")
    error: RequestError | None = None


class _Part(msgspec.Struct, frozen=True):
    text: str = ""


class _Content(msgspec.Struct, frozen=True):
    parts: list[_Part] = []


class _Candidate(msgspec.Struct, frozen=True):
    content: _Content = _Content()
    finishReason: str = ""  # noqa: N815  # as it is on the wire


class _Response(msgspec.Struct, frozen=True):
    candidates: list[_Candidate] = []
    embedding: dict[str, object] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultView:
    """One result."""

    number: int
    key: str
    code: str  # of the error, empty for a response
    text: str
    line: str  # as it begins, for whoever wants all of it


def result_view(result: Result) -> ResultView:
    """Return what a row shows of a result, a bounded part of it."""
    shown = result.line[: SHOWN_LINE_MAX * 4].decode("utf-8", "replace")[:SHOWN_LINE_MAX]
    if len(result.line) > READ_BYTES_MAX:
        key, _ = jsonl.identify(result.line)
        text = f"{len(result.line):,} bytes: too long to be shown"
        return ResultView(number=result.number, key=_text(key), code="", text=text, line=shown)
    try:
        read = msgspec.json.decode(result.line, type=_Line)
    except msgspec.DecodeError:
        return ResultView(number=result.number, key="", code="", text="", line=shown)
    code, text = "", ""
    if read.error is not None:
        code, text = _code_of(read.error.code), read.error.message
    else:
        text = _text_of(read.response)
    return ResultView(
        number=result.number,
        key=_text(read.key),
        code=code,
        text=text[:SHOWN_TEXT_MAX],
        line=shown,
    )


def _text_of(response: msgspec.Raw) -> str:
    try:
        read = msgspec.json.decode(response, type=_Response)
    except msgspec.DecodeError:
        return ""
    if read.embedding is not None:
        values = read.embedding.get("values")
        return f"a vector of {len(values)} numbers" if isinstance(values, list) else "a vector"
    texts = [part.text for it in read.candidates for part in it.content.parts if part.text]
    if texts:
        return " ".join(texts)
    return ", ".join(it.finishReason for it in read.candidates)


def _code_of(code: int) -> str:
    return Code(code).name if code in set(Code) else str(code)


def _text(key: object) -> str:
    return "" if key is None else str(key)
