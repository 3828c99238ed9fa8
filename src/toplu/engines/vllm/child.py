"""The child process that runs `vllm serve`, which is a program of others, and looks after it.

    parent ── stdin: one line of VllmOrder ──▶ child ── starts, looks at ──▶ vllm serve
           ◀── stdout: one line, once vLLM is healthy ──
           ── stdin: end of file ──▶ it ends, and vLLM with all of its processes

vLLM writes to the standard error that the parent reads. One that stops answering is ended, so that
another can begin.
"""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
from http import HTTPStatus
from urllib.request import urlopen

import msgspec

START_LOOK_SECONDS = 0.5  # between two looks at one that starts
FAILED_LOOKS_MAX = 3  # in a row
END_SECONDS_MAX = 4.0  # for it to put itself away
READY = b"{}\n"
PARENT_DEATH = 1  # of prctl(2)


class VllmOrder(msgspec.Struct, frozen=True, kw_only=True):
    """The program to run; it comes by stdin because argv is readable by everybody."""

    command: list[str]
    environment: dict[str, str]  # besides what this process has
    health_url: str
    health_seconds: float  # between two looks, and how long one may take


def run_child() -> None:
    """Run until vLLM ends, or stdin does."""
    for ignored in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ignored, signal.SIG_IGN)
    order = msgspec.json.decode(sys.stdin.buffer.readline(), type=VllmOrder)
    program = _start(order)
    threading.Thread(target=_end_with_parent, args=(program,), daemon=True).start()
    try:
        _wait_until_healthy(program, order)
        sys.stdout.buffer.write(READY)
        sys.stdout.buffer.flush()
        _watch(program, order)
    finally:
        _end(program)
    sys.exit(max(1, program.returncode))


def _start(order: VllmOrder) -> "subprocess.Popen[bytes]":
    try:
        # In a session of its own, so that all of its processes can be ended together.
        return subprocess.Popen(  # noqa: S603  # the operator's command
            order.command,
            env=os.environ | order.environment,  # noqa: TID251  # it is handed on, not read
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr,
            start_new_session=True,
            # There is no other thread yet.
            preexec_fn=_die_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509
        )
    except OSError as error:
        sys.exit(f"{order.command[0]}: cannot be run: {error.strerror}")


def _die_with_parent() -> None:
    """In vLLM, before it begins: have the kernel ask it to end when this process is killed.

    Were it killed itself, its own processes would stay, and the memory of their GPUs with them.
    """
    ctypes.CDLL(None).prctl(PARENT_DEATH, signal.SIGTERM)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _wait_until_healthy(program: "subprocess.Popen[bytes]", order: VllmOrder) -> None:
    """Return when it is healthy; the parent bounds the time. SystemExit: it has ended."""
    while not _is_healthy(order):
        with contextlib.suppress(subprocess.TimeoutExpired):
            sys.exit(max(1, program.wait(START_LOOK_SECONDS)))


def _watch(program: "subprocess.Popen[bytes]", order: VllmOrder) -> None:
    """Return when it has ended, or has failed so many looks in a row."""
    failed = 0
    while failed < FAILED_LOOKS_MAX:
        with contextlib.suppress(subprocess.TimeoutExpired):
            program.wait(order.health_seconds)
            return
        failed = 0 if _is_healthy(order) else failed + 1
    sys.stderr.write(f"vLLM did not answer {failed} looks at its health, and is ended.\n")


def _is_healthy(order: VllmOrder) -> bool:
    try:
        with urlopen(order.health_url, timeout=order.health_seconds) as answer:  # noqa: S310  # of loopback
            return bool(answer.status == HTTPStatus.OK)
    except OSError:
        return False


def _end_with_parent(program: "subprocess.Popen[bytes]") -> None:
    with contextlib.suppress(OSError):
        while os.read(sys.stdin.fileno(), 1024):
            pass
    _end(program)
    os._exit(0)


def _end(program: "subprocess.Popen[bytes]") -> None:
    """End it and every process that it started."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(program.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            program.wait(END_SECONDS_MAX)


if __name__ == "__main__":
    run_child()
