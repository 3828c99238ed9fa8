"""A preemption stops the work on the slot, unless that ends of itself, and nothing else."""

import asyncio
from collections.abc import Awaitable, Callable

from toplu.fleet.lanes.claim import Claim, Preempted
from toplu.fleet.lanes.lanes import Lanes

Work = Callable[[Claim], Awaitable[None]]


async def work_on_slot(work: Work) -> str:
    """Have a batch call work on a slot, and return what comes of it."""
    claim = Claim(interactive=False, lane=0)
    try:
        async with Lanes(1).slot(claim):
            await work(claim)
    except Preempted:
        return "preempted"
    # A cancellation that comes late would hit here.
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return "finished"


async def wait_long(_: Claim) -> None:
    await asyncio.Event().wait()


async def test_work_that_waits_is_stopped() -> None:
    async def lose_slot(claim: Claim) -> None:
        claim.preempt()
        await wait_long(claim)

    assert await work_on_slot(lose_slot) == "preempted"


async def test_work_that_makes_room_by_its_own_end_stands() -> None:
    async def end(claim: Claim) -> None:
        claim.preempt()

    assert await work_on_slot(end) == "finished"


async def test_work_that_ends_in_spite_of_it_stands() -> None:
    async def shrug_off(claim: Claim) -> None:
        claim.preempt()
        try:
            await wait_long(claim)
        except asyncio.CancelledError:
            return

    assert await work_on_slot(shrug_off) == "finished"


async def test_a_call_that_goes_away_as_its_slot_does_is_gone() -> None:
    claims: list[Claim] = []

    async def show(claim: Claim) -> None:
        claims.append(claim)
        await wait_long(claim)

    async with asyncio.TaskGroup() as tasks:
        call = tasks.create_task(work_on_slot(show))
        await asyncio.sleep(0)
        claims[0].preempt()
        call.cancel()
    assert call.cancelled()


async def test_an_attempt_is_not_stopped_for_the_slot_of_the_one_before() -> None:
    lanes, claim = Lanes(1), Claim(interactive=False, lane=0)
    async with lanes.slot(claim):
        claim.preempt()
    async with lanes.slot(claim):
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert claim.preemptions == 1
