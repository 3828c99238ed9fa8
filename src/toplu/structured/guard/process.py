"""The parent's side of the process of schemas: asked one thing at a time, ended when it takes long.

ask ──▶ start, if none runs ──▶ order ──▶ reply
                                  └────▶ a limit, a crash ──▶ Spent, and the next starts another
"""

import atexit
import contextlib
import os
import select
import signal
import subprocess
import sys
import threading
import time

import msgspec

from toplu.structured.guard.orders import AnyOrder, Reply

CHILD_MODULE = "toplu.structured.guard.child"
# The child counts its own processor time. By the clock it may take longer, on a busy machine.
CLOCK_SECONDS_PER_CPU_SECOND = 6
START_SECONDS = 30.0
CHUNK_BYTES = 64 * 1024


class Spent(Exception):
    """The order took more than its limits, or brought the process down."""


class SchemaProcess:
    """A process that compiles and proves schemas; safe to be asked by any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._orders_done = 0  # by this child
        self._exit_code = 0  # of the child before it
        self._decoder = msgspec.json.Decoder(Reply)
        atexit.register(self.close)

    def ask(self, order: AnyOrder) -> Reply:
        """Return the reply, or raise Spent; it takes as long as the limits of the order allow."""
        line = msgspec.json.encode(order) + b"\n"
        seconds_max = CLOCK_SECONDS_PER_CPU_SECOND * order.bounds.seconds_max
        with self._lock:
            is_used = self._orders_done > 0
            reply = self._try(line, seconds_max)
            if reply is None and is_used and self._exit_code != -signal.SIGXCPU:
                # What earlier orders left behind may have been the reason.
                reply = self._try(line, seconds_max)
        if reply is None:
            raise Spent
        return reply

    def close(self) -> None:
        """End the process, if one runs; the next order starts another."""
        child, self._child, self._orders_done = self._child, None, 0
        if child is not None:
            child.kill()
            child.communicate()
            self._exit_code = child.returncode

    def _try(self, line: bytes, seconds_max: float) -> Reply | None:
        if self._child is None:
            seconds_max += START_SECONDS
            self._child = subprocess.Popen(  # noqa: S603  # this very Python
                [sys.executable, "-P", "-m", CHILD_MODULE],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
            )
        answer = _exchange(self._child, line, time.monotonic() + seconds_max)
        if not answer.endswith(b"\n"):
            self.close()
            return None
        self._orders_done += 1
        return self._decoder.decode(answer)


def _exchange(child: "subprocess.Popen[bytes]", line: bytes, ends_at: float) -> bytes:
    """Return the line that the child writes, or the beginning of one that never ends."""
    assert child.stdin is not None, "it is a pipe"
    assert child.stdout is not None, "it is a pipe"
    with contextlib.suppress(BrokenPipeError):
        left = memoryview(line)
        while left:
            left = left[child.stdin.write(left) :]
    answer = bytearray()
    while not answer.endswith(b"\n"):
        seconds = max(0.0, ends_at - time.monotonic())
        if not select.select([child.stdout], [], [], seconds)[0]:
            break
        piece = os.read(child.stdout.fileno(), CHUNK_BYTES)
        if not piece:
            break
        answer += piece
    return bytes(answer)


PROCESS = SchemaProcess()
