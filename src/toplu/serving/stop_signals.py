"""SIGTERM and SIGINT as something to wait for."""

import asyncio
import signal


class StopSignals:
    """The signals that ask a process to end; a child leaves those of the terminal to its parent."""

    def __init__(self, *, is_child: bool = False) -> None:
        self._arrived = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._arrived.set)
        loop.add_signal_handler(signal.SIGINT, (lambda: None) if is_child else self._arrived.set)

    async def wait(self) -> None:
        """Return at the next signal."""
        await self._arrived.wait()
        self._arrived.clear()
