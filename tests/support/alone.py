"""The processes of a server, each run by itself, as a service manager would run them."""

import subprocess
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from support.server import TOPLU, Server, clean_environment
from support.waiting import PATIENCE_SECONDS


class ApiAlone(Server):
    """An api in place of `toplu serve`."""

    program = TOPLU

    def command(self) -> list[str]:
        _, _, *options = super().command()
        return [str(self.program), "api", *options]


class WorkerAlone(Server):
    """A worker in its place, which is ready when it works."""

    def start(self, *, wait_until_ready: bool = True) -> Self:
        toplu, _serve, _host, _address, *options = self.command()
        self._launch([toplu, "worker", *options])
        if wait_until_ready:
            self.wait_for_event("worker_ready", PATIENCE_SECONDS)
        return self


def run_toplu(*words: str, program: Path = TOPLU) -> "subprocess.CompletedProcess[bytes]":
    """Run a command to its end."""
    return subprocess.run(
        [str(program), *words],
        capture_output=True,
        check=False,
        env=clean_environment(),
        timeout=PATIENCE_SECONDS,
    )


def start_worker(
    stack: ExitStack, *options: str, program: Path = TOPLU
) -> "subprocess.Popen[bytes]":
    """Start a worker and return it when it works; it is killed with the stack."""
    process = subprocess.Popen(
        [str(program), "worker", *options], stderr=subprocess.PIPE, env=clean_environment()
    )
    assert process.stderr is not None
    # A log that is read is not closed before its writer has ended.
    log = stack.enter_context(process.stderr)
    stack.callback(process.wait, PATIENCE_SECONDS)
    stack.callback(process.kill)
    for line in log:
        if b'"worker_ready"' in line:
            # What it says later is read, so that it never waits for a reader.
            threading.Thread(target=log.read, daemon=True).start()
            return process
    raise AssertionError("the worker has ended")
