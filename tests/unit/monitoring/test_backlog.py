"""The backlog as monitors read it: what waits, for how long, and how many replicas it wants."""

from datetime import timedelta

from support.batch.batch_world import BatchWorld
from support.figures import figure, samples
from support.store.rows import a_job, keep_planned
from toplu.job import ProjectId
from toplu.metrics.bounded_names import OTHER
from toplu.metrics.exposition import expose
from toplu.metrics.measured import PROJECTS_MAX
from toplu.monitoring.backlog import BacklogFigures
from toplu.placement.calls import RecentCalls
from toplu.placement.demand import Demands
from toplu.replica import EngineState, Replica
from toplu.store.rows.backlog import BacklogRows
from toplu.store.rows.workers import Report, Worker, WorkerRows
from toplu.workers.roster import Roster

HOUR = timedelta(hours=1)
BYTES_MAX = 1_000_000  # of all figures, with a thousand projects


def figures_of(world: BatchWorld) -> BacklogFigures:
    rows = BacklogRows(world.database)
    roster = Roster(clock=world.clock, rows=WorkerRows(world.database))
    models = world.settings.models
    return BacklogFigures(
        models=models,
        clock=world.clock,
        rows=rows,
        demands=Demands(
            settings=world.settings, rows=rows, roster=roster, calls=RecentCalls(models)
        ),
        roster=roster,
    )


async def text_of(world: BatchWorld) -> bytes:
    return expose("api", await figures_of(world).read())


async def report(world: BatchWorld, worker: str, *, lanes: int, speed: float) -> None:
    now = world.clock.now()
    replica = Replica(
        engine="echo", state=EngineState.READY, lanes=lanes, window=2, work_per_second=speed
    )
    await WorkerRows(world.database).report(
        Report(worker=Worker(id=worker, started=now, seen=now), replicas=[replica])
    )


async def test_what_waits_is_there_by_model_state_and_project(world: BatchWorld) -> None:
    await keep_planned(world.jobs, a_job("one", tokens_estimate=100), 4)
    other = a_job("two", tokens_estimate=11, project=ProjectId("team-b"))
    await world.jobs.create(other, unfinished_max=9)
    text = await text_of(world)
    assert figure(text, "toplu_jobs", model="echo", state="PENDING") == 2
    assert figure(text, "toplu_queue_tokens", project="team-a") == 100
    assert figure(text, "toplu_queue_tokens", project="team-b") == 11
    assert figure(text, "toplu_jobs_late", model="echo") == 0
    seconds = figure(text, "toplu_time_to_target_seconds", model="echo")
    assert seconds == world.settings.job_target_seconds


async def test_a_target_that_has_passed_shows_by_how_much(world: BatchWorld) -> None:
    await keep_planned(world.jobs, a_job("one", tokens_estimate=100), 4)
    world.clock.advance(25 * HOUR)
    text = await text_of(world)
    assert figure(text, "toplu_jobs_late", model="echo") == 1
    assert figure(text, "toplu_time_to_target_seconds", model="echo") == -3600


async def test_replicas_are_wanted_as_work_and_speed_say(world: BatchWorld) -> None:
    (model,) = world.settings.models
    await report(world, "server-1", lanes=2 * model.caches, speed=2.0)
    text = await text_of(world)
    assert figure(text, "toplu_replicas", model="echo") == 2
    assert figure(text, "toplu_replicas_wanted", model="echo") == 0
    assert samples(text, "toplu_slack_seconds", model="echo") == []
    # Ten million tokens and more, by engines that read a tenth of one in a second.
    await keep_planned(world.jobs, a_job("one", tokens_estimate=10**7), 4)
    text = await text_of(world)
    assert figure(text, "toplu_replicas_wanted", model="echo") > 1000
    # Its day is over long before.
    day = world.settings.job_target_seconds
    assert figure(text, "toplu_slack_seconds", model="echo") < day - 10**7 * 10 / 2.0


async def test_beyond_a_thousand_projects_the_smallest_are_one(world: BatchWorld) -> None:
    for number in range(PROJECTS_MAX + 2):
        job = a_job(
            f"job-{number}",
            project=ProjectId(f"{number:04}-{'x' * 59}"),  # as long as a name may be
            tokens_estimate=10 + number,
        )
        await world.jobs.create(job, unfinished_max=9)
    text = await text_of(world)
    assert len(samples(text, "toplu_queue_tokens")) == PROJECTS_MAX + 1
    assert figure(text, "toplu_queue_tokens", project=OTHER) == 10 + 11
    assert len(text) < BYTES_MAX / 4
