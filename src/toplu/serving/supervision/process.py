"""One life of a process that the supervisor started.

supervisor ── stdin: its order, and later "drain" ──▶ process
◀── stdout: "ready", or why it cannot begin ──
── stdin: end of file ──▶ the process ends at once: its supervisor is dead
"""

import asyncio
import contextlib
import signal
import sys
from collections.abc import Sequence
from typing import Self

from toplu.errors import ConfigurationError
from toplu.serving.supervision import orders
from toplu.serving.supervision.orders import Order

MODULE = "toplu.serving.supervision.child"
READY = b"ready"
REFUSED = b"refused "
DRAIN = b"drain"


class ProcessDied(Exception):
    """It ended before it was ready; its standard error, which is ours, has the reason."""


class Process:
    """A process from its start until it is reaped."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, order: Order, descriptors: Sequence[int]) -> Self:
        """Start the process, which has these file descriptors of ours; it is not ready yet."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", MODULE, order.role),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            pass_fds=descriptors,
        )
        started = cls(process)
        started._tell(orders.write(order))
        return started

    @property
    def pid(self) -> int:
        return self._process.pid

    async def wait_until_ready(self) -> None:
        """Return when it is, or raise ProcessDied; ConfigurationError if it refuses to begin."""
        assert self._process.stdout is not None, "it is a pipe"
        said = (await self._process.stdout.readline()).rstrip()
        if said.startswith(REFUSED):
            raise ConfigurationError(said.removeprefix(REFUSED).decode())
        if said != READY:
            raise ProcessDied

    async def wait(self) -> int:
        """Return its exit code once it has ended; negative: the signal that killed it."""
        return await self._process.wait()

    def drain(self) -> None:
        """Tell it that the server is about to end."""
        self._tell(DRAIN + b"\n")

    def ask_to_end(self) -> None:
        """Ask it to end in good order; harmless when it has ended."""
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once; harmless when it has ended."""
        self._send(signal.SIGKILL)

    def _send(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)

    def _tell(self, line: bytes) -> None:
        assert self._process.stdin is not None, "it is a pipe"
        with contextlib.suppress(ConnectionError, RuntimeError):
            self._process.stdin.write(line)
