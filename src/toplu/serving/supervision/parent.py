"""The end of a process that the supervisor speaks to."""

import asyncio
import os
import sys
import threading
from collections.abc import Callable

from toplu.serving.supervision import orders
from toplu.serving.supervision.orders import Order
from toplu.serving.supervision.process import DRAIN, READY, REFUSED

LINE_BYTES_MAX = 16 * 1024 * 1024


class Parent:
    """The order of a process, and what the supervisor says later."""

    def __init__(self) -> None:
        self._source = os.fdopen(sys.stdin.fileno(), "rb", buffering=0, closefd=False)
        self.order: Order = orders.read(self._source.readline(LINE_BYTES_MAX))

    def listen(self, loop: asyncio.AbstractEventLoop, when_draining: Callable[[], None]) -> None:
        """Listen from now on; the process ends with its supervisor, whatever it is at."""
        threading.Thread(target=self._listen, args=(loop, when_draining), daemon=True).start()

    def tell_ready(self) -> None:
        """Say that the process is ready for work."""
        _say(READY)

    def tell_refusal(self, reason: str) -> None:
        """Say why the process cannot begin."""
        _say(REFUSED + " ".join(reason.split()).encode())

    def _listen(self, loop: asyncio.AbstractEventLoop, when_draining: Callable[[], None]) -> None:
        while line := self._source.readline(LINE_BYTES_MAX):
            if line.rstrip() == DRAIN:
                loop.call_soon_threadsafe(when_draining)
        os._exit(1)  # in order would take as long as what runs


def _say(line: bytes) -> None:
    os.write(sys.stdout.fileno(), line + b"\n")
