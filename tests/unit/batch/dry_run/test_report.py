"""The report of a dry run: price, time, and what it warns of."""

from datetime import UTC, datetime, timedelta

from toplu.batch.dry_run.findings import Findings, Kind, LineFault, Stratum
from toplu.batch.dry_run.report import Known, Report, report_of
from toplu.batch.dry_run.token_estimate import Estimate
from toplu.batch.schedule.estimate import Expectations
from toplu.batch.schedule.fair_shares import FairShares
from toplu.batch.schedule.policy import Candidates, Engine, QueuedJob
from toplu.batch.schedule.wait_status import Queue
from toplu.job import Experience, JobId, ProjectId
from toplu.money import Prices, Usage

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MINE = ProjectId("mine")
FINDINGS = Findings(
    total=120,
    faulty=0,
    duplicates=20,
    strata={Kind.PLAIN: Stratum(count=100, text_bytes=40_000)},
    shared_bytes=20_000,
    output_limits=[(1000, 100)],
)
PROMPTS = Estimate(total=12_000, counted=100, tokens_a_byte=0.25, tokens_a_request=20)
LEARNT = {MINE: Experience(answers=10**4, usage=Usage(prompt_tokens=10**6, output_tokens=10**6))}


def known(
    *,
    speed: float | None = 10_000.0,
    ahead: float = 0.0,
    experience: dict[ProjectId, Experience] | None = None,
    target: timedelta = timedelta(hours=24),
) -> Known:
    others = QueuedJob(
        job=JobId("before"),
        project=ProjectId("other"),
        created=NOW - timedelta(hours=1),
        target=NOW + timedelta(hours=23),
        expires=NOW + timedelta(hours=47),
        work=ahead,
    )
    candidates = Candidates(
        jobs=[others] if ahead else [],
        shares=FairShares({}, {}),
        engine=Engine(lanes=4, work_per_second=speed, quantum_seconds=1),
        now=NOW,
    )
    return Known(
        engine="echo",
        project=MINE,
        prices=Prices(input_units=200, cached_units=20, output_units=800),
        queue=Queue.of(candidates),
        expectations=Expectations(LEARNT if experience is None else experience, []),
        target=target,
        keeps_prefixes=True,
    )


def reported(known_to_be: Known, findings: Findings = FINDINGS) -> Report:
    return report_of(findings, PROMPTS, [], known_to_be)


def test_what_is_shared_is_read_once_and_costs_what_is_cached() -> None:
    report = reported(known())
    cached = 20_000 * 0.25 + 99 * 20
    assert report.shared_share == 0.5
    assert report.prompt_cost == round((12_000 - cached) * 100 + cached * 20)
    # Twenty more would have been read, of 120 tokens each, and nothing from a cache.
    assert report.saved == 14_400 * 100 - report.prompt_cost


def test_price_and_tokens_are_ranges_about_what_was_learnt() -> None:
    report = reported(known())
    assert report.output_tokens.low < 100 * 100 < report.output_tokens.high
    for end in ("low", "high"):
        tokens = getattr(report.output_tokens, end)
        assert getattr(report.cost, end) == report.prompt_cost + round(tokens) * 400


def test_time_is_a_range_behind_what_is_there_already() -> None:
    alone, behind = reported(known()).finish, reported(known(ahead=10**7)).finish
    assert alone is not None
    assert behind is not None
    assert NOW < alone[0] < alone[1]
    assert alone[1] < behind[1]


def test_without_a_speed_there_is_no_time_and_it_says_why() -> None:
    report = reported(known(speed=None))
    assert report.finish is None
    assert any("has not been measured" in warning for warning in report.warnings)


def test_a_target_that_may_be_missed_is_warned_of() -> None:
    assert not reported(known()).warnings
    (warning,) = reported(known(target=timedelta(seconds=1))).warnings
    assert "after its target" in warning


def test_that_no_answer_was_seen_is_said() -> None:
    (warning,) = reported(known(experience={})).warnings
    assert "No answer of the model echo was seen yet" in warning


def test_faults_of_both_kinds_are_named_in_the_order_of_their_lines() -> None:
    findings = Findings(total=3, faulty=2, faults=[_fault(1), _fault(9)], strata=FINDINGS.strata)
    report = report_of(findings, PROMPTS, [_fault(5)], known())
    assert report.faulty == 3
    assert [fault.number for fault in report.faults] == [1, 5, 9]


def test_an_input_without_a_good_line_costs_nothing() -> None:
    findings = Findings(total=2, faulty=2, faults=[_fault(1)], strata={Kind.PLAIN: Stratum()})
    report = report_of(findings, Estimate(), [], known())
    assert (report.prompt_cost, report.cost.high, report.shared_share) == (0, 0, 0)
    assert any("Only the first 1 of 2" in warning for warning in report.warnings)


def _fault(number: int) -> LineFault:
    return LineFault(number=number, code=3, message="wrong")
