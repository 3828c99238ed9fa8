"""Deeds from two connections to one database at the same time."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from toplu.errors import TopluError
from toplu.store.rows.database import Database

T = TypeVar("T")

EACH = 8  # deeds of each connection


async def at_once(
    both: Sequence[Database], deed: Callable[[Database, int], Awaitable[T]], each: int = EACH
) -> list[T | BaseException]:
    """Do it so many times on each connection, numbered, all at the same time."""
    deeds = [
        deed(database, place * each + turn)
        for turn in range(each)
        for place, database in enumerate(both)
    ]
    return await asyncio.gather(*deeds, return_exceptions=True)


async def in_turns(
    both: Sequence[Database], deed: Callable[[Database, int], Awaitable[T]]
) -> list[T | BaseException]:
    """Do so with one deed of each connection at a time: each waits for its last one."""

    async def one_by_one(place: int) -> list[T | BaseException]:
        done: list[T | BaseException] = []
        for number in range(place * EACH, (place + 1) * EACH):
            done += await asyncio.gather(deed(both[place], number), return_exceptions=True)
        return done

    return [it for each in await asyncio.gather(*map(one_by_one, range(len(both)))) for it in each]


def refusals(outcomes: Sequence[object]) -> int:
    """Return how many were refused; an error that is no refusal fails the test."""
    for outcome in outcomes:
        if isinstance(outcome, BaseException) and not isinstance(outcome, TopluError):
            raise outcome
    return sum(isinstance(outcome, TopluError) for outcome in outcomes)
