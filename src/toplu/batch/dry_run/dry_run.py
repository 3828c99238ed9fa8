"""Says of a batch what it would be, and makes none: faults, tokens, duplicates, price and time.

    input ──▶ read in a child ──▶ a sample counted by the model ──▶ what earlier answers were like

Nothing of it is kept. The estimate of prompt tokens comes with its error; what is written depends
on the answers, and so it is a range, and price and time with it.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

import structlog

from toplu.batch import paths
from toplu.batch.dry_run.findings import Findings, Kind, LineFault, Reading, Stratum
from toplu.batch.dry_run.report import Known, Report, report_of
from toplu.batch.dry_run.token_estimate import Estimate, estimate_total
from toplu.batch.dry_run.token_sample import Asked, Sample, TokenSampler
from toplu.batch.jobs.admission import new_job_id
from toplu.batch.jobs.input import AnyBatch, JobInputs
from toplu.batch.plan.ordering import PlanRules
from toplu.batch.schedule.estimate import Expectations
from toplu.batch.schedule.wait_reason import WaitReasons
from toplu.child_process import ask_child_for
from toplu.errors import InvalidArgument, ResourceExhausted
from toplu.job import Method, ProjectId
from toplu.settings.server import ModelSettings, Settings
from toplu.store.blobs.blobs import Blobs
from toplu.store.rows.jobs import JobRows

log = structlog.get_logger()

CHILD_MODULE = "toplu.batch.dry_run.reading_child"
FINDINGS_BYTES_MAX = 64 * 1024 * 1024
# Requests whose tokens are counted: so many at once, and further ones until the error is small.
STEP = 2_000
ERROR_WANTED = 0.0025  # of the tokens
# At most: by an engine of ours, and by a server of others.
OWN_SAMPLES_MAX = {Kind.PLAIN: 10_000, Kind.LONG: 1_000, Kind.LOOKED_UP: 200}
SERVER_SAMPLES_MAX = {Kind.PLAIN: 2_000, Kind.LONG: 0, Kind.LOOKED_UP: 200}
# A text model reads no more tokens than bytes, but for its template.
TEMPLATE_TOKENS_MAX = 512
ENDLESS = 2**63 - 1  # bytes
WAITING_MAX = 4  # dry runs; one is at work


class DryRun:
    """Makes dry runs, one after another."""

    def __init__(
        self,
        *,
        settings: Settings,
        inputs: JobInputs,
        blobs: Blobs,
        jobs: JobRows,
        wait_reasons: WaitReasons,
        sampler: TokenSampler,
    ) -> None:
        self._settings = settings
        self._inputs = inputs
        self._blobs = blobs
        self._jobs = jobs
        self._wait_reasons = wait_reasons
        self._sampler = sampler
        self._turn = asyncio.Lock()
        self._waiting = 0

    async def run(
        self, *, project: ProjectId, model: str, engine: ModelSettings, batch: AnyBatch
    ) -> Report:
        """Return what the batch would be; `model` is the name asked for, without `models/`.

        Raises what creating it would, and Unavailable if the model cannot count at the moment.
        """
        asked = Asked(id=new_job_id(), project=project, name=model, model=engine)
        async with self._next_turn():
            try:
                await self._inputs.keep(asked.id, project, model, batch)
                return await self._report(asked)
            finally:
                await self._blobs.delete_folder(paths.folder(asked.id))

    async def run_kept(self, asked: Asked) -> Report:
        """Return the same of an input that its caller has kept, and will remove."""
        async with self._next_turn():
            return await self._report(asked)

    async def _report(self, asked: Asked) -> Report:
        findings = await self._read(asked)
        prompts, faults = await self._count(asked, findings)
        total, faulty = findings.total, findings.faulty
        log.info("dry_run_made", model=asked.name, requests=total, faulty=faulty)
        return report_of(findings, prompts, faults, await self._known(asked))

    @asynccontextmanager
    async def _next_turn(self) -> AsyncIterator[None]:
        if self._waiting > WAITING_MAX:
            raise ResourceExhausted("Too many dry runs wait at the moment. Please try again later.")
        self._waiting += 1
        try:
            async with self._turn:
                yield
        finally:
            self._waiting -= 1

    async def _read(self, asked: Asked) -> Findings:
        model = asked.model
        rules = PlanRules.of(self._settings, _Planned(asked.method, asked.name, asked.model.name))
        async with (
            self._blobs.workshop() as folder,
            self._blobs.local(paths.input_lines(asked.id)) as lines,
        ):
            reading = Reading(
                rules=rules,
                input_path=str(lines),
                folder=str(folder),
                samples_max=SERVER_SAMPLES_MAX if model.is_remote else OWN_SAMPLES_MAX,
                long_bytes=_long_bytes(asked),
            )
            findings = await ask_child_for(
                CHILD_MODULE, reading, Findings, bytes_max=FINDINGS_BYTES_MAX
            )
        if findings.refusal is not None:
            raise InvalidArgument(findings.refusal)
        return findings

    async def _count(self, asked: Asked, findings: Findings) -> tuple[Estimate, list[LineFault]]:
        """Return the prompt tokens of all requests, and the faults that only the model finds."""
        prompts = Estimate()
        faults: list[LineFault] = []
        for stratum in findings.strata.values():
            sample = Sample()
            estimate = Estimate()
            for first in range(0, len(stratum.sample), STEP):
                sample += await self._sampler.count(asked, stratum.sample[first : first + STEP])
                estimate = _estimate(stratum, sample)
                if estimate.error <= ERROR_WANTED * estimate.total:
                    break
            prompts += estimate
            faults += sample.faults
        return prompts, faults

    async def _known(self, asked: Asked) -> Known:
        engine = asked.model.name
        queue = await self._wait_reasons.queue(engine)
        competition = await self._jobs.competition(engine, queue.candidates.now)
        return Known(
            engine=engine,
            project=asked.project,
            prices=self._settings.prices_of(asked.model),
            queue=queue,
            expectations=Expectations(competition.experience, competition.competitors),
            target=timedelta(seconds=self._settings.job_target_seconds),
            keeps_prefixes=asked.method is Method.GENERATE,
        )


@dataclass(frozen=True, slots=True)
class _Planned:
    """The batch as a plan sees it."""

    method: Method
    model: str
    engine: str


def _estimate(stratum: Stratum, sample: Sample) -> Estimate:
    """Return the prompt tokens of all requests of a kind; those with faults have none."""
    seen = len(sample.counted) + len(sample.faults)
    share = len(sample.counted) / seen if seen else 0.0
    return estimate_total(
        sample.counted,
        count=max(len(sample.counted), round(stratum.count * share)),
        text_bytes=round(stratum.text_bytes * share),
    )


def _long_bytes(asked: Asked) -> int:
    """Return from where on text may be too long; how much a server takes is not known."""
    if asked.tokens_max is None:
        return ENDLESS
    return max(0, asked.tokens_max - TEMPLATE_TOKENS_MAX)
