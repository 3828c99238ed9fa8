"""The processes of a server, each run by itself, as a service manager would run them."""

import subprocess
import threading
from contextlib import ExitStack

from support.server import TOPLU, Server, clean_environment
from support.waiting import PATIENCE_SECONDS


class ApiAlone(Server):
    """An api in place of `toplu serve`."""

    def command(self) -> list[str]:
        toplu, _, *options = super().command()
        return [toplu, "api", *options]


def run_toplu(*words: str) -> "subprocess.CompletedProcess[bytes]":
    """Run a command to its end."""
    return subprocess.run(
        [str(TOPLU), *words],
        capture_output=True,
        check=False,
        env=clean_environment(),
        timeout=PATIENCE_SECONDS,
    )


def start_worker(stack: ExitStack, *options: str) -> "subprocess.Popen[bytes]":
    """Start a worker and return it when it works; it is killed with the stack."""
    process = subprocess.Popen(
        [str(TOPLU), "worker", *options], stderr=subprocess.PIPE, env=clean_environment()
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
