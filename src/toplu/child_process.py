"""Child processes of ours: a module that this Python runs, always reaped.

parent ── stdin: its order, one line of JSON ──▶ child
◀── stdout: whatever the module writes ──
── stdin: end of file ──▶ the child exits
"""

import asyncio
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, Self, TypeVar, cast

import msgspec

LAST_WORDS_BYTES = 4096
STDIN, STDOUT, STDERR = 0, 1, 2


class ChildPipes(asyncio.SubprocessProtocol):
    """Takes what the child writes: the end of its standard error, and its exit."""

    def __init__(self) -> None:
        self.last_words = b""
        self.ended = asyncio.Event()

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        if fd == STDERR:
            self.last_words = (self.last_words + data)[-LAST_WORDS_BYTES:]
        else:
            self.take(data)

    def take(self, data: bytes) -> None:
        """Take a piece of the child's standard output."""
        raise NotImplementedError

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # asyncio's name
        """Note the end: the process is reaped and everything that it wrote has been read."""
        self.ended.set()


Pipes = TypeVar("Pipes", bound=ChildPipes)
T = TypeVar("T")


class ChildProcess(Generic[Pipes]):
    """One life of a child process."""

    def __init__(self, transport: asyncio.SubprocessTransport, pipes: Pipes) -> None:
        self._transport = transport
        self.pipes = pipes

    @classmethod
    async def start(cls, module: str, order: msgspec.Struct, pipes: Pipes) -> Self:
        """Run the module and hand it its order."""
        transport, _ = await asyncio.get_running_loop().subprocess_exec(
            lambda: pipes, sys.executable, "-P", "-m", module
        )
        child = cls(transport, pipes)
        child.stdin.write(msgspec.json.encode(order) + b"\n")
        return child

    @property
    def pid(self) -> int:
        return self._transport.get_pid()

    @property
    def exit_code(self) -> int | None:
        """The code, negative for the signal that killed it; None while it runs."""
        return self._transport.get_returncode()

    @property
    def last_words(self) -> str:
        """The end of what it wrote to its standard error."""
        return self.pipes.last_words.decode(errors="replace").strip()

    @property
    def stdin(self) -> asyncio.WriteTransport:
        # Not isinstance: uvloop's transports have the methods, not the class.
        return cast("asyncio.WriteTransport", self._transport.get_pipe_transport(STDIN))

    def kill(self) -> None:
        """End it at once; harmless when it has ended."""
        if not self.pipes.ended.is_set():
            # A broken connection tells of the death before the loop has reaped the child.
            with contextlib.suppress(ProcessLookupError):
                self._transport.kill()

    async def stop(self, seconds_max: float = 0.0) -> None:
        """Close its stdin, which it obeys, then kill it, and wait until it is reaped."""
        if self._transport.get_pipe_transport(STDIN) is not None:
            self.stdin.close()
        try:
            async with asyncio.timeout(seconds_max):
                await self.pipes.ended.wait()
        except TimeoutError:
            self.kill()
            await self.pipes.ended.wait()
        finally:
            self._transport.close()


@dataclass(frozen=True, slots=True)
class Answer:
    """All that a child wrote in its life."""

    output: bytes
    last_words: str


class _AnswerPipes(ChildPipes):
    """Gathers the answer, up to so many bytes."""

    def __init__(self, bytes_max: int) -> None:
        super().__init__()
        self._bytes_max = bytes_max
        self.output = bytearray()
        self.is_full = asyncio.Event()

    def take(self, data: bytes) -> None:
        self.output += data
        if len(self.output) > self._bytes_max:
            self.output.clear()
            self.is_full.set()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.is_full.set()


async def ask_child(
    module: str,
    order: msgspec.Struct,
    data: bytes = b"",
    *,
    bytes_max: int,
    seconds_max: float | None = None,
) -> Answer:
    """Return what the module answers to the order, and to the data behind it on its stdin.

    The child is killed and its output is empty if it writes more than `bytes_max`; it is killed,
    and TimeoutError raised, after `seconds_max`. No child outlives the call.
    """
    pipes = _AnswerPipes(bytes_max)
    child = await ChildProcess.start(module, order, pipes)
    try:
        child.stdin.write(data)
        async with asyncio.timeout(seconds_max):
            await pipes.is_full.wait()
    finally:
        await child.stop()
    return Answer(bytes(pipes.output), child.last_words)


class _DiskFault(msgspec.Struct):
    """The answer of a child whose disk is full or broken."""

    errno: int | None


class ChildAnswer(Protocol):
    """An answer with a result, or with a disk's fault in place of it."""

    @property
    def errno(self) -> int | None:
        """The number of the fault, None if there was none."""
        ...


Answered = TypeVar("Answered", bound=ChildAnswer)


class ChildEnded(Exception):
    """The child ended without an answer: it was killed, say. It may be asked again."""


async def ask_child_for(
    module: str, order: msgspec.Struct, answer_type: type[Answered], *, bytes_max: int
) -> Answered:
    """Return what the module answers in JSON; no child outlives the call.

    Raises ChildEnded, and the OSError of a disk that is full or broken.
    """
    written = await ask_child(module, order, bytes_max=bytes_max)
    try:
        answer = msgspec.json.decode(written.output, type=answer_type)
    except msgspec.DecodeError as error:
        last_line = "".join(written.last_words.splitlines()[-1:])
        raise ChildEnded(last_line or f"{module} ended without an answer.") from error
    if answer.errno is not None:
        raise OSError(answer.errno, os.strerror(answer.errno))
    return answer


def answer_order(
    order_type: type[T],
    work: Callable[[T], msgspec.Struct],
    *,
    niceness: int,
) -> None:
    """In a child: do the work that stdin orders, and write its answer; the end of stdin ends it."""
    for ignored in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ignored, signal.SIG_IGN)
    os.nice(niceness)
    order = msgspec.json.decode(sys.stdin.buffer.readline(), type=order_type)
    exit_with_parent()
    try:
        answer = work(order)
    except OSError as fault:
        answer = _DiskFault(fault.errno)
    sys.stdout.buffer.write(msgspec.json.encode(answer) + b"\n")


def exit_with_parent() -> threading.Thread:
    """In a child: return a running thread that ends the process when its stdin ends."""
    watch = threading.Thread(target=_exit_at_end_of_stdin, daemon=True)
    watch.start()
    return watch


def _exit_at_end_of_stdin() -> None:
    # A read of the descriptor, because one of `sys.stdin` holds a lock at exit.
    with contextlib.suppress(OSError):
        while os.read(sys.stdin.fileno(), 1024):
            pass
    os._exit(0)  # destructors of llama.cpp may wait for a generation to end
