"""Plans the next wave of a job, once everything that it waits for is durable.

It is planned twice after a crash in between, and then the same again.
"""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog

from toplu.batch import paths
from toplu.batch.chains.wave import WaveAnswer, WaveTask, order_wave
from toplu.batch.chains.wave_child import order_in_child
from toplu.batch.plan.ordering import PlanRules
from toplu.batch.results.placements import Placements
from toplu.batch.results.reader import Snapshot, place_all
from toplu.clock import Clock
from toplu.job import BYTES_OF_A_TOKEN, WAVE_SHARDS, Job, JobId, Shard
from toplu.settings.server import Settings
from toplu.store.blobs.blobs import Blobs
from toplu.store.blobs.results import Results
from toplu.store.rows.jobs import JobRows

log = structlog.get_logger()

IN_THREAD_BYTES_MAX = 64 * 1024  # of the file of a wave; a larger one has a child process


class Waves:
    """Plans waves, one after another."""

    def __init__(
        self,
        *,
        settings: Settings,
        clock: Clock,
        jobs: JobRows,
        blobs: Blobs,
        results: Results,
        planned: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._jobs = jobs
        self._blobs = blobs
        self._results = results
        self._planned = planned  # called when there are shards to lease

    async def plan_next(self, job: Job) -> None:
        """Plan the wave behind the last one of a job, unless something of that is not done."""
        shards = await self._jobs.shards(job.id)
        if not all(shard.is_done for shard in shards):
            return  # another worker has just planned it
        wave = 1 + max((shard.wave for shard in shards), default=0)
        async with self._blobs.workshop() as folder:
            answer = await self._order(job, shards, wave, folder)
            await self._blobs.adopt(folder / "copy", paths.wave_lines(job.id, wave))
            await self._blobs.adopt(folder / "order", paths.wave_order(job.id, wave))
        cut = _number(job.id, wave, answer.shards)
        tokens = answer.gained_bytes // BYTES_OF_A_TOKEN
        if await self._jobs.plan_wave(job.id, cut, tokens, self._clock.now()):
            log.info("wave_planned", job=job.id, wave=wave, shards=len(cut))
            self._planned()

    async def _order(self, job: Job, shards: list[Shard], wave: int, folder: Path) -> WaveAnswer:
        placements = folder / "placements"
        segments = await self._jobs.segments(job.id)
        async with (
            self._results.counted(job.id, segments) as results,
            self._blobs.local(paths.input_lines(job.id)) as lines,
            self._blobs.local(paths.waiting(job.id, wave)) as waiting,
        ):
            total = job.counts.total
            snapshot = Snapshot(results=results, shards=shards, segments=segments)
            await asyncio.to_thread(_place, placements, total, snapshot)
            task = WaveTask(
                rules=PlanRules.of(self._settings, job),
                job=job.id,
                total=total,
                input_path=str(lines),
                wave_path=str(waiting),
                placements_path=str(placements),
                results_path=str(results.root),
                folder=str(folder),
                order_path=str(folder / "order"),
                copy_path=str(folder / "copy"),
            )
            size_bytes = await self._blobs.size(paths.waiting(job.id, wave))
            if (size_bytes or 0) <= IN_THREAD_BYTES_MAX:
                return await asyncio.to_thread(order_wave, task)
            return await order_in_child(task)


def _place(path: Path, total: int, snapshot: Snapshot) -> None:
    """Write down where the results of the job lie."""
    with Placements(path, total) as placements:
        place_all(placements, snapshot)


def _number(job: JobId, wave: int, sizes: Sequence[int]) -> list[Shard]:
    """Return the shards of a wave of these sizes, one behind the other."""
    shards: list[Shard] = []
    first = 0
    for number, size in enumerate(sizes, start=wave * WAVE_SHARDS):
        shards.append(Shard(job=job, number=number, first=first, count=size))
        first += size
    return shards
