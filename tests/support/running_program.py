"""A server that is no part of toplu, in a process of its own."""

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

from support.server import clean_environment
from support.waiting import eventually

STOP_SECONDS = 60


@contextmanager
def running_program(
    command: Sequence[str], *, health_url: str, log: Path, environment: Mapping[str, str]
) -> Iterator[int]:
    """Run the command while the block does, which begins when the URL is healthy; yield its id."""
    variables = clean_environment() | environment
    variables.pop("PYTHONPATH", None)  # it has packages of its own
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=variables, stdout=output, stderr=output)
    try:
        eventually(lambda: _is_healthy(health_url, process, log))
        yield process.pid
    finally:
        process.terminate()
        process.wait(STOP_SECONDS)


def _is_healthy(url: str, process: "subprocess.Popen[bytes]", log: Path) -> bool:
    assert process.poll() is None, f"it has ended, see {log}"
    try:
        with urlopen(url, timeout=1) as reply:
            return bool(reply.status == 200)
    except OSError:
        return False
