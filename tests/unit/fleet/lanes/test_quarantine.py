import asyncio
from contextlib import AsyncExitStack

from hypothesis import given
from hypothesis import strategies as st

from support.fleet.scripted_engine import eventually
from support.waiting import PATIENCE_SECONDS
from toplu.fleet.lanes.quarantine import Quarantine


async def test_a_suspect_waits_for_the_others_and_the_others_wait_for_it():
    quarantine = Quarantine()
    seen: list[str] = []
    leave = asyncio.Event()

    async def enter(name: str, *, alone: bool) -> None:
        async with quarantine.pass_through(alone=alone):
            seen.append(name)
            if not alone:
                await leave.wait()

    async with asyncio.timeout(PATIENCE_SECONDS), asyncio.TaskGroup() as group:
        group.create_task(enter("a", alone=False))
        await eventually(lambda: seen == ["a"])
        group.create_task(enter("suspect", alone=True))
        await asyncio.sleep(0)
        group.create_task(enter("b", alone=False))  # came later, so it does not overtake
        await asyncio.sleep(0)
        assert seen == ["a"]
        leave.set()
    assert seen == ["a", "suspect", "b"]


async def test_a_suspect_that_is_cancelled_while_it_waits_lets_the_others_in():
    quarantine = Quarantine()
    async with (
        asyncio.timeout(PATIENCE_SECONDS),
        AsyncExitStack() as held,
        asyncio.TaskGroup() as group,
    ):
        await held.enter_async_context(quarantine.pass_through(alone=False))
        suspect = group.create_task(
            AsyncExitStack().enter_async_context(quarantine.pass_through(alone=True))
        )
        await asyncio.sleep(0)
        other = group.create_task(held.enter_async_context(quarantine.pass_through(alone=False)))
        await asyncio.sleep(0)
        assert not other.done()
        suspect.cancel()
        await other


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 6), st.booleans()), max_size=12))
def test_a_suspect_is_alone_whatever_comes_and_is_cancelled(
    visits: list[tuple[bool, int, bool]],
):
    async def visit_all() -> None:
        quarantine = Quarantine()
        inside: list[bool] = []

        async def visit(*, alone: bool, turns: int) -> None:
            async with quarantine.pass_through(alone=alone):
                inside.append(alone)
                assert len(inside) == 1 or not any(inside)
                for _ in range(turns):
                    await asyncio.sleep(0)
                inside.remove(alone)

        async with asyncio.timeout(PATIENCE_SECONDS), asyncio.TaskGroup() as group:
            for alone, turns, cancelled in visits:
                task = group.create_task(visit(alone=alone, turns=0 if cancelled else turns))
                await asyncio.sleep(0)
                if cancelled and turns % 2:
                    task.cancel()
        assert quarantine._inside == 0
        assert not quarantine._waiting

    asyncio.run(visit_all())
