"""Clears what a crash left half-made; for the owner of a data folder, before anything is accepted.

While others write there, what is half-made may be on its way to be whole.
"""

import asyncio

import structlog

from toplu.batch import paths
from toplu.job import JobId
from toplu.store.blobs.blobs import Blobs
from toplu.store.blobs.result_log import ResultLog
from toplu.store.rows.jobs import JobRows

log = structlog.get_logger()


async def clear_unfinished(blobs: Blobs, jobs: JobRows, results: ResultLog) -> None:
    """Remove blobs that were being written, and inputs and results that belong to no job."""
    await blobs.forget_unfinished()
    known = await jobs.known()
    for name in await blobs.folders(paths.JOBS):
        # The input of a create call that did not come to its row was never accepted.
        if name not in known:
            log.info("unaccepted_input_removed", job=name)
            await blobs.delete_folder(paths.folder(JobId(name)))
    for job in await asyncio.to_thread(results.jobs):
        # A group that was being written while its job was deleted came after the clearing.
        if job not in known:
            log.info("results_without_job_removed", job=job)
            await asyncio.to_thread(results.delete_job, job)
