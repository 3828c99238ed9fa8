"""B21: what a dry run says, beside what then happens.

The ranges of tokens and time are held to days of work in virtual time, whose jobs have answers as
long as ShareGPT's, each project's longer or shorter than others: a job is described as it comes,
from what is known then. The prompts are counted on the real model.
"""

import json
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sharegpt
from sizes import Size

from support.jobs import create_job_from, finished_job, json_lines, upload
from support.model_tables import quick_model
from support.server import Server, started_server
from support.simulation.days import a_mix, learnt
from support.simulation.virtual_engine import (
    DAY,
    WORK_PER_SECOND,
    Load,
    Scene,
    VirtualEngine,
    moment,
    ours,
    queued_job,
)
from toplu.batch.dry_run.findings import Findings, Kind, Stratum
from toplu.batch.dry_run.report import Known, Report, report_of
from toplu.batch.dry_run.token_estimate import Estimate
from toplu.batch.schedule.estimate import Expectations
from toplu.batch.schedule.fair_shares import FairShares
from toplu.batch.schedule.policy import Candidates, Engine
from toplu.batch.schedule.wait_status import Queue
from toplu.job import JobId, ProjectId
from toplu.money import FREE

SEEDS = {Size.TINY: range(1), Size.SELECTION: range(4), Size.FULL: range(8)}
RHOS = (0.5, 0.7, 0.8, 0.9)
SPREAD = 0.3  # of the means of a project's jobs, as in B8
QUANTUM_SECONDS = 600.0
REAL_REQUESTS = 16
REAL = (
    "Say something about the",
    "Write two sentences about a",
    "Is it good to have a",
    "Tell a story of a",
    "Name three things that are like a",
    "Why would anybody want a",
)
NOUNS = "harbour mill school market forest station garden castle"
LINES = {Size.TINY: 500, Size.SELECTION: 100_000, Size.FULL: 100_000}
WORDS = "the harbour of a town has mills schools markets keepers who count keys"


class Foreseeing:
    """The product's policy; each job is described as it comes."""

    def __init__(self) -> None:
        self.reports: dict[str, Report] = {}

    def __call__(self, scene: Scene) -> Load | None:
        for load in scene.loads:
            if load.name not in self.reports:
                self.reports[load.name] = _report(scene, load)
        return ours(scene)


def _report(scene: Scene, load: Load) -> Report:
    assert load.answers is not None, "nothing is known of it beforehand"
    others = [each for each in scene.loads if each is not load]
    work = scene.work_left()
    rows = [
        each.answers.as_competitor(
            JobId(each.name), ProjectId(each.project), scene.now, scene.lanes
        )
        for each in others
        if each.answers is not None
    ]
    candidates = Candidates(
        jobs=[queued_job(each, work[each.name]) for each in others],
        shares=FairShares({ProjectId(name): share for name, share in scene.shares.items()}, {}),
        engine=Engine(
            lanes=scene.lanes,
            work_per_second=WORK_PER_SECOND,
            quantum_seconds=scene.quantum_seconds,
        ),
        now=moment(scene.now),
    )
    count = load.answers.count
    findings = Findings(
        total=count,
        strata={Kind.PLAIN: Stratum(count=count)},
        output_limits=[(sharegpt.TOKENS_MAX, count)],
    )
    known = Known(
        engine="virtual",
        project=ProjectId(load.project),
        prices=FREE,
        queue=Queue.of(candidates),
        expectations=Expectations(scene.experience, rows),
        target=DAY,
        keeps_prefixes=False,
    )
    return report_of(findings, Estimate(counted=count), [], known)


def measure(size: Size) -> dict[str, Any]:
    """Return the shares of jobs that are within the ranges, and the time for many lines."""
    lengths = sharegpt.all_answer_tokens()
    tokens: list[bool] = []
    times: list[bool] = []
    widths: list[float] = []
    for seed in SEEDS[size]:
        for rho in RHOS:
            policy = Foreseeing()
            loads = learnt(a_mix(seed, rho), lengths, SPREAD)
            VirtualEngine(policy=policy, quantum_seconds=QUANTUM_SECONDS).run(loads)
            for load in loads:
                held_tokens, held_time, width = _held(load, policy.reports[load.name])
                tokens.append(held_tokens)
                times.append(held_time)
                widths.append(width)
    return {
        "jobs": len(tokens),
        "jobs_within_range_of_tokens": sum(tokens) / len(tokens),
        "jobs_within_range_of_time": sum(times) / len(times),
        "median_of_high_over_low_tokens": sorted(widths)[len(widths) // 2],
        **_lines(size),
        **(_real_jobs() if size is Size.FULL else {}),
    }


def _held(load: Load, report: Report) -> tuple[bool, bool, float]:
    assert load.answers is not None
    assert load.ended is not None
    assert report.finish is not None
    written = report.output_tokens
    earliest, latest = report.finish
    slack = timedelta(seconds=1)
    return (
        written.low <= load.answers.total <= written.high,
        earliest - slack <= moment(load.ended) <= latest + slack,
        written.high / written.low,
    )


def _lines(size: Size) -> dict[str, float]:
    """Return how long a dry run of so many lines takes on the default model, and its error."""
    lines = [_line(number) for number in range(LINES[size])]
    with tempfile.TemporaryDirectory() as folder:
        config = quick_model(16)
        with started_server(Path(folder), config=config) as server:
            name = upload(server, json_lines(lines))
            begun = time.monotonic()
            found = _validated(server, name)
            seconds = time.monotonic() - begun
    counted = found["promptTokens"]
    share = (int(counted["highest"]) - int(counted["lowest"])) / 2 / int(counted["tokenCount"])
    return {"seconds_of_all_lines": seconds, "error_of_prompt_tokens": share}


def _real_jobs() -> dict[str, float]:
    """Return how many of five real jobs, one after another, were as their dry run said.

    One before them is for the model to be measured at; it is so large that it has several shards a
    lane, which a speed is measured by.
    """
    within = {"prompts": 0, "tokens": 0, "time": 0, "cost": 0}
    with tempfile.TemporaryDirectory() as folder:
        prices = {"price": {"input": "2", "cached_input": "1", "output": "8"}}
        with started_server(Path(folder), config=quick_model(128, **prices)) as server:
            for kind, asked in enumerate(REAL):
                lines = [
                    _real_line(asked, number)
                    for number in range(REAL_REQUESTS if kind else 5 * REAL_REQUESTS)
                ]
                name = upload(server, json_lines(lines))
                said, begun = _validated(server, name), datetime.now(UTC)  # noqa: TID251
                job = create_job_from(server, name)
                done = finished_job(server, job)["metadata"]
                if kind:
                    for part, held in _as_said(said, done, begun).items():
                        within[part] += held
    return {f"real_jobs_within_{part}": count for part, count in within.items()}


def _as_said(said: dict[str, Any], done: dict[str, Any], begun: datetime) -> dict[str, bool]:
    usage, cost = done["toplu"]["usage"], float(done["toplu"]["cost"]["amount"])
    took = datetime.fromisoformat(done["endTime"]) - begun
    written, finish = said["outputTokens"], said["expectedFinish"]
    ends = [datetime.fromisoformat(finish[name]) - begun for name in ("earliest", "latest")]
    print(
        f"  prompts {said['promptTokens']['tokenCount']}: {usage['promptTokenCount']}; output "
        f"{written['lowest']} to {written['highest']}: {usage['outputTokenCount']}; time "
        f"{ends[0].total_seconds():.0f} to {ends[1].total_seconds():.0f} s: "
        f"{took.total_seconds():.0f}; cost {said['expectedCost']['lowest']['amount']} to "
        f"{said['expectedCost']['highest']['amount']}: {cost}",
        flush=True,
    )
    return {
        "prompts": said["promptTokens"]["tokenCount"] == usage["promptTokenCount"],
        "tokens": int(written["lowest"])
        <= int(usage["outputTokenCount"])
        <= int(written["highest"]),
        "time": ends[0] <= took <= ends[1],
        "cost": float(said["expectedCost"]["lowest"]["amount"])
        <= cost
        <= float(said["expectedCost"]["highest"]["amount"]),
    }


def _real_line(asked: str, number: int) -> dict[str, Any]:
    text = f"{asked} {NOUNS.split()[number % len(NOUNS.split())]} {number}."
    request = {
        "contents": [{"parts": [{"text": text}]}],
        "generationConfig": {"temperature": 0, "seed": number},
    }
    return {"key": str(number), "request": request}


def _line(number: int) -> dict[str, Any]:
    words = WORDS.split()
    drawn = [words[(number * 7 + place * place) % len(words)] for place in range(20 + number % 40)]
    text = f"Is review {number} kind? {' '.join(drawn)}"
    return {"key": str(number), "request": {"contents": [{"parts": [{"text": text}]}]}}


def _validated(server: Server, name: str) -> dict[str, Any]:
    path = "/v1beta/models/gemini-2.5-flash:batchGenerateContent?validateOnly=true"
    reply = server.call("POST", path, {"batch": {"inputConfig": {"fileName": name}}})
    assert reply.status == 200, reply.body
    found: dict[str, Any] = json.loads(reply.body)
    return found
