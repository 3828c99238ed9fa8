"""In which order an engine will be through with its jobs, and after how much work each.

    urgent, one after another ──▶ the others side by side, each project in proportion to its weight

The jobs of a project come one after another. That is the policy of `batch.schedule.policy` as a
fluid: what projects had before, and what comes later, is not in it. Pure.
"""

from collections import defaultdict
from collections.abc import Iterable

from toplu.batch.schedule.policy import Candidates, QueuedJob
from toplu.job import JobId, ProjectId


def forecast(candidates: Candidates) -> dict[JobId, float]:
    """Return the work that the engine will have done when each job is through, in that order."""
    urgent_jobs = candidates.outlook.urgent
    urgent = [it for it in candidates.jobs if it.job in urgent_jobs]
    done = 0.0
    through: dict[JobId, float] = {}
    for it in sorted(urgent, key=lambda it: (it.target, -it.priority, it.created, it.job)):
        done += it.work
        through[it.job] = done
    others = [it for it in candidates.jobs if it.job not in urgent_jobs]
    return through | _side_by_side(others, candidates, done)


def _side_by_side(
    jobs: Iterable[QueuedJob], candidates: Candidates, done: float
) -> dict[JobId, float]:
    queues: dict[ProjectId, list[QueuedJob]] = defaultdict(list)
    for it in jobs:
        queues[it.project].append(it)
    weight = {project: candidates.shares.weight(project) for project in queues}
    # While a project has work, its part of all that is done is its weight's part of all weights:
    # each job ends at a level of work by weight, and the levels rise together.
    levels: list[tuple[float, JobId, ProjectId, bool]] = []
    for project, queue in queues.items():
        queue.sort(
            key=lambda it: (it.target > candidates.now, -it.priority, it.target, it.created, it.job)
        )
        level = 0.0
        for it in queue:
            level += it.work / weight[project]
            levels.append((level, it.job, project, it is queue[-1]))
    together = sum(weight.values())
    through: dict[JobId, float] = {}
    risen = 0.0
    for level, job, project, is_last in sorted(levels):
        done += (level - risen) * together
        risen = level
        through[job] = done
        if is_last:
            together -= weight[project]
    return through
