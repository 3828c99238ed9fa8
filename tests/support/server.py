"""A real `toplu serve` process for tests and benchmarks.

    with started_server(tmp_path, log_level="debug") as server:
        reply = server.call("GET", "/v1beta/batches")

Every wait is bounded, and a wait that fails prints the end of the server's log.
"""

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

from support.log_events import matching
from support.ports import free_port
from support.processes import children_of, command_of, memory_peak_of
from support.reply import Reply
from support.waiting import PATIENCE_SECONDS

TOPLU = Path(sys.executable).with_name("toplu")
POLL_SECONDS = 0.05
LOG_TAIL_LINES = 40


class Server:
    """One server on one data folder; it may be stopped, killed and started again.

    It keeps its port from the first start on, as a server does whose clients wait for it.
    """

    def __init__(
        self, data_dir: Path, settings: dict[str, str] | None = None, config: str | None = None
    ) -> None:
        self.data_dir = data_dir
        self.url = ""
        self.port = 0
        self.log_lines: list[str] = []  # of every run, oldest first
        self.environment: dict[str, str] = {}  # of the next start, besides what settings are there
        self._settings = settings or {}
        self._config = config
        self._process: subprocess.Popen[str] | None = None
        self._groups: list[int] = []  # of every run
        self._readers: list[threading.Thread] = []  # of every run
        self._changed = threading.Condition()
        self._run_begins = 0  # index into log_lines of the present run's first line

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def pid(self) -> int:
        assert self._process is not None, "the server was never started"
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self, *, wait_until_ready: bool = True) -> Self:
        """Start the process; return when it listens, or when its engines are up as well."""
        self.port = self.port or free_port()
        self._launch([*self.command(), "--port", str(self.port)])
        self.url = self.wait_for_event("server_ready", PATIENCE_SECONDS)["url"]
        if wait_until_ready:
            self.wait_until(self._is_ready, PATIENCE_SECONDS, "/readyz to be 200")
        return self

    def _launch(self, command: list[str]) -> None:
        assert not self.is_running, "the server runs already"
        self._run_begins = len(self.log_lines)
        self._process = subprocess.Popen(
            command,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env=clean_environment(self._settings) | self.environment,
            start_new_session=True,  # so that close() can end whatever the server leaves behind
        )
        self._groups.append(self._process.pid)
        self._readers.append(
            threading.Thread(target=self._read_log, args=(self._process,), daemon=True)
        )
        self._readers[-1].start()

    def _is_ready(self) -> bool:
        given_up = matching(self.log_lines[self._run_begins :], "engine_given_up", {})
        assert not given_up, f"an engine was given up\n{self.log_tail()}"
        return self.call("GET", "/readyz").status == http.HTTPStatus.OK

    def command(self) -> list[str]:
        """Return the command line but for the port; writes the configuration file it names."""
        command = [str(TOPLU), "serve", "--host", "127.0.0.1", "--data-dir", str(self.data_dir)]
        if self._config is not None:
            # Beside the data folder, which is the server's own.
            config_file = self.data_dir.with_name(f"{self.data_dir.name}.toml")
            config_file.write_text(self._config, encoding="utf-8")
            command += ["--config", str(config_file)]
        return command

    def stop(self, seconds: float = PATIENCE_SECONDS) -> int:
        """Ask the server to drain and end; return its exit code."""
        self.ask_to_stop()
        return self.wait_for_exit(seconds)

    def ask_to_stop(self) -> None:
        assert self._process is not None, "the server was never started"
        self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Kill -9 the server, as a power cut would; its children are not touched."""
        assert self._process is not None, "the server was never started"
        self._process.kill()
        self.wait_for_exit(PATIENCE_SECONDS)

    def configure(self, config: str) -> None:
        """Have the next start read this configuration file."""
        self._config = config

    def restart(self) -> Self:
        """Stop cleanly and start again on the same data."""
        code = self.stop()
        assert code == 0, f"the server ended with {code}\n{self.log_tail()}"
        return self.start()

    def wait_for_exit(self, seconds: float = PATIENCE_SECONDS) -> int:
        assert self._process is not None, "the server was never started"
        try:
            code = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(
                f"the server did not end within {seconds} s\n{self.log_tail()}"
            ) from None
        # A child that outlives the server holds the pipe open: do not wait for it.
        self._readers[-1].join(timeout=1.0)
        return code

    def close(self) -> None:
        """End the server and everything it started, however it stands."""
        if self._process is None:
            return
        # Each run is a process group of its own, so an engine that outlived its server goes too.
        for group in self._groups:
            with suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)
        self._process.wait(PATIENCE_SECONDS)
        for reader in self._readers:
            reader.join(PATIENCE_SECONDS)

    # What it says

    def events(self, name: str, **fields: Any) -> list[dict[str, Any]]:
        """Return the logged events of that name and those fields, of every run."""
        return matching(self.log_lines, name, fields)

    def wait_for_event(self, name: str, seconds: float, **fields: Any) -> dict[str, Any]:
        """Return the first such event of the present run, waiting for it if need be."""
        deadline = time.monotonic() + seconds
        seen = self._run_begins
        with self._changed:
            while True:
                found = matching(self.log_lines[seen:], name, fields)
                if found:
                    return found[0]
                seen = len(self.log_lines)
                remaining = deadline - time.monotonic()
                gone = not self.is_running and not self._readers[-1].is_alive()
                if remaining <= 0 or gone:
                    why = "the server ended" if gone else f"{seconds} s passed"
                    raise AssertionError(f"{why} without {name} {fields}\n{self.log_tail()}")
                self._changed.wait(min(remaining, 1.0))

    def wait_for_more(self, name: str, count: int, seconds: float) -> None:
        """Return after so many further events of that name, or when the time has passed."""
        deadline = time.monotonic() + seconds
        seen = len(self.log_lines)
        with self._changed:
            while count > 0 and (remaining := deadline - time.monotonic()) > 0:
                self._changed.wait(remaining)
                count -= len(matching(self.log_lines[seen:], name, {}))
                seen = len(self.log_lines)

    def wait_until(self, condition: Callable[[], bool], seconds: float, what: str) -> None:
        """Ask again and again until the condition holds."""
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline or not self.is_running:
                state = "runs" if self.is_running else "has ended"
                raise AssertionError(
                    f"waited {seconds} s for {what}; the server {state}\n{self.log_tail()}"
                )
            time.sleep(POLL_SECONDS)

    def log_tail(self) -> str:
        return "".join(self.log_lines[-LOG_TAIL_LINES:])

    def _read_log(self, process: "subprocess.Popen[str]") -> None:
        assert process.stderr is not None
        with process.stderr:
            for line in process.stderr:
                with self._changed:
                    self.log_lines.append(line)
                    self._changed.notify_all()

    # What it answers

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        key: str = "any-key",
        headers: dict[str, str] | None = None,
    ) -> Reply:
        """Make one HTTP call; a body that is not bytes is sent as JSON.

        States are read as the SDKs spell them.
        """
        content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_SECONDS)
        try:
            given = {"x-goog-api-key": key, "X-Toplu-State-Style": "job"} | (headers or {})
            connection.request(method, path, content, given)
            answer = connection.getresponse()
            names = {name.lower(): value for name, value in answer.getheaders()}
            return Reply(status=answer.status, headers=names, body=answer.read())
        finally:
            connection.close()

    # Its processes

    def processes(self, role: str) -> list[int]:
        """Return the processes of the server in that role: `api` or `worker`."""
        return [pid for pid in children_of(self.pid) if command_of(pid)[-1:] == [role]]

    @property
    def pids(self) -> list[int]:
        """The processes of the server: the supervisor, those that answer and those that work."""
        return [self.pid, *self.processes("api"), *self.processes("worker")]

    def child_pids(self) -> list[int]:
        """Return what the server's processes have started: engines, readers of documents."""
        ours = self.pids
        return [child for pid in ours for child in children_of(pid) if child not in ours]

    def kill_process(self, role: str) -> None:
        """Kill -9 a process in that role, and return when another one is ready in its place."""
        seen = len(self.log_lines)
        os.kill(self.processes(role)[0], signal.SIGKILL)

        def is_back() -> bool:
            return any(
                event["name"].startswith(role)
                for event in matching(self.log_lines[seen:], "process_ready", {})
            )

        self.wait_until(is_back, PATIENCE_SECONDS, f"another {role}")

    def memory_peak_bytes(self) -> int:
        """Return the largest resident set that a process of the server's has had."""
        return max(memory_peak_of(pid) for pid in self.pids)


@contextmanager
def started_server(
    tmp_path: Path, *, config: str | None = None, **settings: Any
) -> Iterator[Server]:
    """Yield a server that is ready, on a fresh data folder; settings are named as in TOPLU_*."""
    texts = {name: str(value) for name, value in settings.items()}
    with Server(tmp_path / "data", texts, config) as server:
        yield server.start()


def clean_environment(settings: dict[str, str] | None = None) -> dict[str, str]:
    """Return this process's environment with only the given settings in it."""
    inherited = dict(os.environ)  # noqa: TID251  # a child process needs a PATH and a HOME
    kept = {name: value for name, value in inherited.items() if not name.startswith("TOPLU_")}
    # A server that may keep its compiled modules starts in a third of the time.
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    return kept | {f"TOPLU_{name.upper()}": value for name, value in (settings or {}).items()}
