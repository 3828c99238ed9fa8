"""Runs what schemas take beside the event loop, and the costly ones beside all others.

Costly schemas have one thread between them. Without it, a few of them would keep every thread of
the server waiting for the process of schemas.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

from toplu.structured.guard.guarded import ONLY_PLAIN, NotPlain

P = ParamSpec("P")
T = TypeVar("T")

_COSTLY = ThreadPoolExecutor(max_workers=1, thread_name_prefix="schemas")


async def read_schemas(read: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return what `read` returns, which may compile schemas; it may run twice."""
    try:
        return await asyncio.to_thread(_only_plain, partial(read, *args, **kwargs))
    except NotPlain:
        return await run_costly(read, *args, **kwargs)


async def run_costly(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return what the function returns, run in the thread of costly schemas."""
    return await asyncio.get_running_loop().run_in_executor(
        _COSTLY, partial(function, *args, **kwargs)
    )


def _only_plain(read: Callable[[], T]) -> T:
    ONLY_PLAIN.set(True)  # `to_thread` runs in a copy of the context
    return read()
