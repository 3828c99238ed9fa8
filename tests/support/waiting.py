"""Waiting for another thread or process to get somewhere, for a bounded time."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

POLL_SECONDS = 0.02
# Far more than anything takes on a busy machine: beyond it something hangs.
PATIENCE_SECONDS = 600.0


def eventually(look: Callable[[], T | None], seconds_max: float = PATIENCE_SECONDS) -> T:
    """Return the first result of `look` that is not None or False."""
    end = time.monotonic() + seconds_max
    pause = threading.Event()
    while time.monotonic() < end:
        found = look()
        if found is not None and found is not False:
            return found
        pause.wait(POLL_SECONDS)
    raise AssertionError(f"did not happen within {seconds_max:g} seconds")
