"""Bounds the waiting of interactive calls, in number and in time."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from toplu.errors import Unavailable


class Patience:
    """How many calls may wait for a model, and for how long."""

    def __init__(self, *, waiting_max: int, seconds_max: float, reason: Callable[[], str]) -> None:
        self._waiting_max = waiting_max
        self._seconds_max = seconds_max
        self._reason = reason  # says why there was nothing but waiting, or nothing
        self._waiting = 0

    @asynccontextmanager
    async def wait(self) -> AsyncIterator[None]:
        """Let the body wait, or raise Unavailable: too many do, or it takes too long."""
        if self._waiting >= self._waiting_max:
            raise Unavailable("The model is overloaded. Please try again later.")
        self._waiting += 1
        try:
            async with asyncio.timeout(self._seconds_max):
                yield
        except TimeoutError as error:
            reason = self._reason() or "The model is overloaded."
            raise Unavailable(f"{reason} Please try again later.") from error
        finally:
            self._waiting -= 1
