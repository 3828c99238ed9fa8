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


def refusals(outcomes: Sequence[object]) -> int:
    """Return how many were refused; an error that is no refusal fails the test."""
    for outcome in outcomes:
        if isinstance(outcome, BaseException) and not isinstance(outcome, TopluError):
            raise outcome
    return sum(isinstance(outcome, TopluError) for outcome in outcomes)
