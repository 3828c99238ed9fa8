"""Parts of the pipeline over the stores of a world."""

from typing import TYPE_CHECKING

from toplu.batch.chains.untying import Untying
from toplu.batch.chains.waves import Waves
from toplu.batch.jobs.carrying import Carrying
from toplu.batch.jobs.retry import JobRetry

if TYPE_CHECKING:
    from support.batch.batch_world import BatchWorld


def waves_of(world: "BatchWorld") -> Waves:
    return Waves(
        settings=world.settings,
        clock=world.clock,
        jobs=world.jobs,
        blobs=world.blobs,
        results=world.results,
        planned=lambda: None,
    )


def retries_of(world: "BatchWorld") -> JobRetry:
    results = world.result_reader()
    return JobRetry(
        blobs=world.blobs,
        results=results,
        carrying=Carrying(blobs=world.blobs, log=world.results, results=results),
        untying=Untying(
            blobs=world.blobs, results=results, line_bytes_max=world.settings.line_bytes_max
        ),
        admission=world.admission(),
    )
