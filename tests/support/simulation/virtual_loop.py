"""An event loop in virtual time: what waits takes no time, and threads do their work in the loop.

A call to a thread is done a little later, at a moment that the seed decides, so that calls come in
ever other orders. Of an executor with one thread they stay in the order in which they came. When
a server is killed, calls that were not done never are.
"""

import asyncio
import random
import selectors
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any

CALL_SECONDS_MAX = 0.02


class _Selector(selectors.DefaultSelector):
    """Lets virtual time pass instead of waiting."""

    loop: "VirtualLoop"

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise AssertionError("everything waits for something that nobody will do")
        if timeout > 0:
            self.loop.now += timeout
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop whose seconds pass when there is nothing left to do in them."""

    def __init__(self, chance: random.Random, start: float = 0.0) -> None:
        selector = _Selector()
        selector.loop = self
        self.now = start
        self.broken: list[AssertionError] = []  # what calls asserted; the server would go on
        self._chance = chance
        self._last: dict[int, float] = {}  # of an executor with one thread: when it is free
        super().__init__(selector)

    def time(self) -> float:
        return self.now

    def run_in_executor(  # type: ignore[override]
        self, executor: Executor | None, func: Callable[..., Any], *args: Any
    ) -> "asyncio.Future[Any]":
        future: asyncio.Future[Any] = self.create_future()
        at = self.now + self._chance.random() * CALL_SECONDS_MAX
        if getattr(executor, "_max_workers", None) == 1:
            at = max(at, self._last.get(id(executor), 0.0) + 1e-6)
            self._last[id(executor)] = at
        self.call_at(at, self._do, future, func, args)
        return future

    def _do(self, future: "asyncio.Future[Any]", func: Callable[..., Any], args: Any) -> None:
        # Whoever waited may be gone; a thread would not know.
        try:
            result = func(*args)
        except BaseException as error:  # noqa: BLE001  # as an executor does
            if isinstance(error, AssertionError):
                self.broken.append(error)
            if not future.cancelled():
                future.set_exception(error)
        else:
            if not future.cancelled():
                future.set_result(result)
