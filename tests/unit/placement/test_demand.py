"""All that asks for replicas, as rows and calls say it."""

from dataclasses import dataclass
from datetime import timedelta

import pytest

from support.batch.batch_world import BatchWorld
from support.fake_clock import NOON
from support.store.rows import PROJECT, a_job, keep_planned
from toplu.job import JobId
from toplu.placement.calls import RecentCalls
from toplu.placement.demand import Demands
from toplu.placement.policy import Demand
from toplu.replica import EngineState, Replica
from toplu.store.rows.backlog import BacklogRows
from toplu.store.rows.workers import Report, Worker, WorkerRows
from toplu.workers.roster import GOOD_FOR, Roster


@dataclass
class Watch:
    """A process that reads the demand."""

    world: BatchWorld

    def __post_init__(self) -> None:
        world, self.rows = self.world, WorkerRows(self.world.database)
        self.calls = RecentCalls(world.settings.models)
        self._demands = Demands(
            settings=world.settings,
            rows=BacklogRows(world.database),
            roster=Roster(clock=world.clock, rows=self.rows),
            calls=self.calls,
        )

    async def demand(self) -> Demand:
        self.world.clock.advance(GOOD_FOR)
        cohorts = await self._demands.cohorts(self.world.clock.now())
        return (await self._demands.of(cohorts))["echo"]

    async def report(
        self, worker: str, *, state: EngineState = EngineState.READY, speed: float | None = None
    ) -> None:
        now = self.world.clock.now()
        replica = Replica(engine="echo", state=state, lanes=2, window=2, work_per_second=speed)
        who = Worker(id=worker, started=now, seen=now)
        await self.rows.report(Report(worker=who, replicas=[replica]))


@pytest.fixture
def watch(world: BatchWorld) -> Watch:
    return Watch(world)


async def test_an_idle_model_is_asked_for_nothing(watch: Watch) -> None:
    assert await watch.demand() == Demand()


async def test_the_work_of_jobs_is_due_by_their_targets(watch: Watch) -> None:
    await keep_planned(watch.world.jobs, a_job("one", tokens_estimate=100), 4)
    early = a_job("early", expires=NOON + timedelta(hours=2), tokens_estimate=50)
    await watch.world.jobs.create(early, unfinished_max=9)
    due = (await watch.demand()).due
    assert sorted(it.target - NOON for it in due) == [timedelta(hours=2)] * len(due)
    assert sum(it.work for it in due) > 0


async def test_a_paused_job_asks_for_nothing(watch: Watch) -> None:
    await keep_planned(watch.world.jobs, a_job("one", tokens_estimate=100), 4)
    assert (await watch.demand()).due
    assert await watch.world.jobs.amend(PROJECT, JobId("one"), {"paused": True}, NOON)
    assert (await watch.demand()).due == ()


async def test_replicas_are_counted_and_those_that_are_ready(watch: Watch) -> None:
    await watch.report("one", speed=30.0)
    await watch.report("two", state=EngineState.STARTING)
    assert await watch.demand() == Demand(of_one=30.0, there=2, ready=1)


async def test_the_speed_of_a_replica_outlives_it(watch: Watch) -> None:
    await watch.report("one", speed=30.0)
    await watch.demand()
    await watch.rows.end(["one"])
    assert await watch.demand() == Demand(of_one=30.0)
    await watch.report("two")
    assert await watch.demand() == Demand(of_one=30.0, there=1, ready=1)


async def test_a_call_asks_for_one(watch: Watch) -> None:
    watch.calls.note("echo")
    assert await watch.demand() == Demand(is_called=True)
