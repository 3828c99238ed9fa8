"""Notices an engine that was asked and writes nothing: a hung one keeps its connections.

Words and reports of progress are signs of life. Pings are none: in llama.cpp they come from the
thread that serves the connection, whatever became of the one that computes.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

LOOKS = 4  # in the time that an engine may be silent


class Liveness:
    """The signs of life of one engine, from whichever of its requests."""

    def __init__(self, *, silence_seconds_max: float, now: Callable[[], float]) -> None:
        self._silence_seconds_max = silence_seconds_max
        self._now = now
        self._asked = 0  # requests that wait for the engine's next word
        self._heard_at = 0.0

    def beat(self) -> None:
        """Note a sign of life."""
        self._heard_at = self._now()

    @contextmanager
    def asked(self) -> Iterator[None]:
        """Expect the engine to answer while the body waits for it."""
        if self._asked == 0:
            self.beat()
        self._asked += 1
        try:
            yield
        finally:
            self._asked -= 1

    @contextmanager
    def busy_elsewhere(self) -> Iterator[None]:
        """Expect nothing while the body, inside `asked`, does something with what it heard."""
        self._asked -= 1
        try:
            yield
        finally:
            if self._asked == 0:
                self.beat()
            self._asked += 1

    @property
    def is_gone(self) -> bool:
        """Whether a caller has waited too long."""
        return self._asked > 0 and self._now() - self._heard_at > self._silence_seconds_max

    async def wait_until_gone(self, check: Callable[[], Awaitable[None]]) -> None:
        """Return when the engine has been silent for too long; `check` asks it how it is.

        It is asked only while nobody else asks it anything, and any answer will do.
        """
        seconds = self._silence_seconds_max / LOOKS
        while True:
            begun = self._now()
            await asyncio.sleep(seconds)
            if self._now() - begun > 2 * seconds:
                self.beat()  # this process stood still as well: it is no judge of others
            if self.is_gone:
                return
            if self._asked == 0:
                try:
                    async with asyncio.timeout(self._silence_seconds_max):
                        await check()
                except TimeoutError:
                    return
