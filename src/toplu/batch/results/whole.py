"""The jobs of a batch for several engines, seen as the one batch that they are.

A batch has ended when all of them have; `job.state_of_parts` says how.
"""

from collections.abc import Sequence
from dataclasses import replace

from toplu.job import Job, RequestCounts, state_of_parts
from toplu.money import total


def whole_of(jobs: Sequence[Job]) -> Job:
    """Return the first job with the state, the counts and the usage of all of them.

    Its model, its engine, its prices and the digests are those of the first job alone.
    """
    if len(jobs) == 1:
        return jobs[0]
    state = state_of_parts({job.state for job in jobs})
    ended = [job.ended for job in jobs if job.ended is not None]
    started = [job.started for job in jobs if job.started is not None]
    return replace(
        jobs[0],
        state=state,
        counts=RequestCounts(
            total=sum(job.counts.total for job in jobs),
            succeeded=sum(job.counts.succeeded for job in jobs),
            failed=sum(job.counts.failed for job in jobs),
            deduplicated=sum(job.counts.deduplicated for job in jobs),
            carried=sum(job.counts.carried for job in jobs),
        ),
        usage=total(job.usage for job in jobs),
        planned=all(job.planned for job in jobs),
        updated=max(job.updated for job in jobs),
        started=min(started, default=None),
        ended=max(ended) if state.is_final else None,
        error=next((job.error for job in jobs if job.error is not None), None),
    )
