"""The report of a dry run, made of what was read, counted and known before. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from toplu.batch.dry_run.findings import FAULTS_MAX, Findings, LineFault
from toplu.batch.dry_run.foresight import Range, output_range, usage_of
from toplu.batch.dry_run.token_estimate import Estimate
from toplu.batch.schedule.estimate import Expectations
from toplu.batch.schedule.policy import QueuedJob
from toplu.batch.schedule.wait_status import LONGEST, Queue
from toplu.clock import timestamp
from toplu.job import JobId, ProjectId
from toplu.money import Kind, Prices, Usage

# Of the time that work takes at the measured speed: what else the engine may have to do.
SOONER, LATER = 0.6, 1.8

NO_SPEED = (
    "The time is not known: the model {engine} has not been measured at work. A batch of some "
    "requests does that."
)
NO_ANSWER = (
    "No answer of the model {engine} was seen yet: each may have any length that is allowed."
)
SAMPLED = "Tokens were counted in a sample of {counted} of {count} requests."
AFTER_TARGET = "The batch may be done at {latest} only, after its target, {target}."
NAMED = "Only the first {named} of {faulty} lines with faults are named."


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """The things that are known apart from the input."""

    engine: str
    project: ProjectId
    prices: Prices
    queue: Queue  # without the batch
    expectations: Expectations
    target: timedelta  # that a batch ought to take
    keeps_prefixes: bool  # the engine does not read again what two requests begin with


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything that can be said of a batch that was not made."""

    total: int
    faulty: int
    faults: list[LineFault]
    duplicates: int
    shared_share: float  # of the prompts, what the request before begins with as well
    prompt_tokens: Estimate
    is_exact: bool
    output_tokens: Range
    prompt_cost: int  # in units of the currency
    cost: Range
    saved: int  # in units: what duplicates and shared beginnings do not cost
    target: datetime
    finish: tuple[datetime, datetime] | None
    warnings: list[str]


def report_of(
    findings: Findings, prompts: Estimate, faults: list[LineFault], known: Known
) -> Report:
    """Return the report; `faults` are those that the model found, of the lines it counted."""
    share = findings.shared_bytes / findings.text_bytes if findings.text_bytes else 0.0
    cached = _cached_tokens(findings, prompts) if known.keeps_prefixes else 0.0
    output = output_range(known.expectations, known.project, findings.output_limits)
    least = usage_of(prompts.total, cached, output.low)
    most = usage_of(prompts.total, cached, output.high)
    faulty = findings.faulty + len(faults)
    named = sorted([*findings.faults, *faults], key=lambda fault: fault.number)[:FAULTS_MAX]
    target = known.queue.candidates.now + known.target
    finish = _finish(known, least, most)
    is_exact = prompts.counted + len(faults) >= findings.run_count
    report = Report(
        total=findings.total,
        faulty=faulty,
        faults=named,
        duplicates=findings.duplicates,
        shared_share=share,
        prompt_tokens=prompts,
        is_exact=is_exact,
        output_tokens=output,
        prompt_cost=_cost(known, usage_of(prompts.total, cached, 0)),
        cost=Range(_cost(known, least), _cost(known, most)),
        saved=_saved(findings, prompts, cached, known),
        target=target,
        finish=finish,
        warnings=[],
    )
    report.warnings.extend(_warnings(report, findings, known))
    return report


def _cached_tokens(findings: Findings, prompts: Estimate) -> float:
    """Return the prompt tokens that are not computed again; the first request computes all."""
    shared = findings.shared_bytes * prompts.tokens_a_byte
    frames = max(0, findings.run_count - 1) * prompts.tokens_a_request
    return min(prompts.total, shared + max(0.0, frames))


def _cost(known: Known, usage: Usage) -> int:
    return known.prices.cost(usage, Kind.BATCH)


def _saved(findings: Findings, prompts: Estimate, cached: float, known: Known) -> int:
    """Return what the prompts would cost more without shared beginnings and duplicates."""
    each = prompts.total / findings.run_count if findings.run_count else 0.0
    whole = usage_of(prompts.total + findings.duplicates * each, 0, 0)
    return max(0, _cost(known, whole) - _cost(known, usage_of(prompts.total, cached, 0)))


def _finish(known: Known, least: Usage, most: Usage) -> tuple[datetime, datetime] | None:
    speed = known.queue.candidates.engine.work_per_second
    if not speed:
        return None
    now = known.queue.candidates.now

    def after(work: float, factor: float) -> datetime:
        through = known.queue.with_job(_newcomer(known, work)).through[NEWCOMER]
        return now + min(LONGEST, timedelta(seconds=factor * through / speed))

    return after(least.work, SOONER), after(most.work, LATER)


NEWCOMER = JobId("")  # no job has this id


def _newcomer(known: Known, work: float) -> QueuedJob:
    now = known.queue.candidates.now
    return QueuedJob(
        job=NEWCOMER,
        project=known.project,
        created=now,
        target=now + known.target,
        expires=now + LONGEST,
        work=work,
    )


def _warnings(report: Report, findings: Findings, known: Known) -> list[str]:
    warnings = []
    if report.faulty > len(report.faults):
        warnings.append(NAMED.format(named=len(report.faults), faulty=report.faulty))
    if not report.is_exact:
        counted = report.prompt_tokens.counted
        warnings.append(SAMPLED.format(counted=counted, count=findings.run_count))
    if not known.expectations.answers and report.output_tokens.high:
        warnings.append(NO_ANSWER.format(engine=known.engine))
    if report.finish is None:
        warnings.append(NO_SPEED.format(engine=known.engine))
    elif report.finish[1] > report.target:
        latest, target = timestamp(report.finish[1]), timestamp(report.target)
        warnings.append(AFTER_TARGET.format(latest=latest, target=target))
    return warnings
