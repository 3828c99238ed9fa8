"""Clears what a crash left half-made; for the owner of a data folder, before anything is accepted.

While others write there, what is half-made may be on its way to be whole.
"""

import structlog

from toplu.batch import paths
from toplu.job import JobId
from toplu.store.blobs.blobs import Blobs
from toplu.store.blobs.results import Results
from toplu.store.rows.jobs import JobRows

log = structlog.get_logger()


async def clear_unfinished(blobs: Blobs, jobs: JobRows, results: Results) -> None:
    """Remove blobs that were being written, and inputs and results that belong to no job."""
    await blobs.forget_unfinished()
    known = await jobs.known()
    for name in await blobs.abandoned(paths.JOBS, known):
        # The input of a create call that did not come to its row was never accepted.
        log.info("unaccepted_input_removed", job=name)
        await blobs.delete_folder(paths.folder(JobId(name)))
    for job in await results.jobs():
        # A group that was being written while its job was deleted came after the clearing.
        if job not in known:
            log.info("results_without_job_removed", job=job)
            await results.delete_job(job)
