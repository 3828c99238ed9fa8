"""Servers whose replicas come and go, placed in each of the ways that there are."""

import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Self
from urllib.request import urlopen

from support.alone import ApiAlone, run_toplu, start_worker
from support.figures import figure
from support.model_tables import elastic_model
from support.ports import free_port
from support.server import Server
from support.waiting import PATIENCE_SECONDS, eventually

MODEL = "echo"
MOST = 2
IDLE_SECONDS = 2.0
SLOW = 2.0  # seconds of an answer: with thousands of them one replica would be late
FOLLOWED_SECONDS = 0.2


class PlacedServer:
    """A server, and what is known of the replicas of its model."""

    def __init__(self, server: Server, metrics_port: int) -> None:
        self.server = server
        self._url = f"http://127.0.0.1:{metrics_port}/metrics"

    def figure(self, name: str) -> float:
        with urlopen(self._url, timeout=PATIENCE_SECONDS) as answer:
            return figure(answer.read(), name, process="api", model=MODEL)

    def wait_for_replicas(self, number: int) -> None:
        """Return when so many are ready."""
        eventually(lambda: self.figure("toplu_replicas") == number)

    def kill_a_replica(self) -> None:
        """Kill -9 the worker of the first one, and return when it has another one."""

        def pid() -> int:
            ready = self.server.events("process_ready")
            return int([it["pid"] for it in ready if it["name"] == f"{MODEL}-1"][-1])

        killed = pid()
        os.kill(killed, signal.SIGKILL)
        eventually(lambda: pid() != killed)


@contextmanager
def placed_local(folder: Path) -> Iterator[PlacedServer]:
    """Yield a `toplu serve` that places them as processes of its own."""
    port = free_port()
    with Server(folder / "data", settings_of(port), _config()) as server:
        yield PlacedServer(server.start(), port)
        assert server.stop() == 0


class Follower(PlacedServer):
    """Stands for Kubernetes: it has as many workers as the figure says."""

    def __init__(self, server: Server, metrics_port: int, options: list[str]) -> None:
        super().__init__(server, metrics_port)
        self._options = options
        self._stack = ExitStack()
        self._workers: list[subprocess.Popen[bytes]] = []
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._follow)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._thread.join(PATIENCE_SECONDS)
        self._stack.close()

    def kill_a_replica(self) -> None:
        killed = self._workers[0]
        killed.kill()
        eventually(lambda: killed not in self._workers and len(self._workers) == MOST)

    def _follow(self) -> None:
        while not self._ends.wait(FOLLOWED_SECONDS):
            wanted = int(self.figure("toplu_replicas_wanted"))
            self._workers = [it for it in self._workers if it.poll() is None]
            for surplus in self._workers[wanted:]:
                surplus.terminate()
            for _ in range(wanted - len(self._workers)):
                self._workers.append(start_worker(self._stack, *self._options))


@contextmanager
def placed_by_others(folder: Path) -> Iterator[PlacedServer]:
    """Yield a `toplu api` whose figure is followed."""
    port = free_port()
    config = folder / "data.toml"
    options = ["--data-dir", str(folder / "data"), "--config", str(config)]
    with ApiAlone(folder / "data", settings_of(port), _config(placement="none")) as api:
        api.command()  # writes the configuration
        migrated = run_toplu("migrate", *options)
        assert migrated.returncode == 0, migrated.stderr
        with Follower(api.start(), port, options) as placed:
            yield placed
        assert api.stop() == 0


def settings_of(metrics_port: int) -> dict[str, str]:
    return {"metrics_port": str(metrics_port), "job_target_seconds": "60"}


def _config(placement: str = "local") -> str:
    model = elastic_model(most=MOST, idle_seconds=IDLE_SECONDS, delay_seconds=SLOW)
    return f'[cluster]\nplacement = "{placement}"\n\n{model}'
