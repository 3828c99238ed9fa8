"""Bells: a process that has committed something tells the others that there may be work.

    commit ──▶ ring ── "planned" ──▶ the socket of each other process ──▶ its loops look for work

A bell is a hint. Who misses one finds the work by looking, a little later.
"""

import asyncio
import contextlib
import errno
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

SUFFIX = ".bell"
WORDS_BYTES_MAX = 256

Listener = Callable[[str], None]


class Bell:
    """Rings the bells of all processes of a data folder but this one."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._own = folder / f"{name}{SUFFIX}"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)

    def ring(self, words: str) -> None:
        """Send the words to all that listen; none is waited for, and no fault is raised."""
        for entry in os.scandir(self._folder):
            if entry.name.endswith(SUFFIX) and entry.path != str(self._own):
                self._send(entry.path, words.encode())

    def _send(self, path: str, words: bytes) -> None:
        try:
            self._socket.sendto(words, path)
        except OSError as error:
            # Its process is dead. One that is full has been rung enough.
            if error.errno == errno.ECONNREFUSED:
                Path(path).unlink(missing_ok=True)

    @contextlib.contextmanager
    def listening(self, listener: Listener) -> Iterator[None]:
        """Call the listener with what others ring, while the block runs."""
        loop = asyncio.get_running_loop()
        self._own.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
            heard.setblocking(False)
            heard.bind(str(self._own))
            loop.add_reader(heard, _hear, heard, listener)
            try:
                yield
            finally:
                loop.remove_reader(heard)
                self._own.unlink(missing_ok=True)

    def close(self) -> None:
        """Ring no more."""
        self._socket.close()


def _hear(heard: socket.socket, listener: Listener) -> None:
    with contextlib.suppress(BlockingIOError):
        while True:
            listener(heard.recv(WORDS_BYTES_MAX).decode())
