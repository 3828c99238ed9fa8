"""The loop: what rows say is placed, each round."""

from collections.abc import Mapping

from support.batch.batch_world import BatchWorld
from support.store.rows import a_job, keep_planned
from toplu.placement.calls import RecentCalls
from toplu.placement.demand import Demands
from toplu.placement.placer import ROUND, Placer
from toplu.placement.policy import Policy
from toplu.store.rows.backlog import BacklogRows
from toplu.store.rows.workers import WorkerRows
from toplu.workers.roster import Roster


class Placed(list[Mapping[str, int]]):
    """Takes the place of what starts replicas."""

    async def place(self, wanted: Mapping[str, int]) -> None:
        self.append(wanted)


async def test_each_round_places_what_is_wanted(
    world: BatchWorld,
) -> None:
    placed = Placed()
    placer = Placer(
        clock=world.clock,
        demands=Demands(
            settings=world.settings,
            rows=BacklogRows(world.database),
            roster=Roster(clock=world.clock, rows=WorkerRows(world.database)),
            calls=RecentCalls(world.settings.models),
        ),
        policy=Policy(world.settings.models),
        placement=placed,
    )
    for _ in range(2):
        assert await placer.step() == ROUND
    await keep_planned(world.jobs, a_job("one", tokens_estimate=100), 4)
    for _ in range(2):
        await placer.step()
    assert placed == [{"echo": 0}, {"echo": 0}, {"echo": 1}, {"echo": 1}]
