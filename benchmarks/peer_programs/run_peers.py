"""Runs what people use today, as arms of a benchmark: the same requests, a server for each.

asyncio and the openai package ──────────────────▶ server
Ray Data's HTTP processor ───────────────────────▶ server
asyncio and the openai package ──▶ LiteLLM proxy ──▶ server
"""

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from support.server import clean_environment

HERE = Path(__file__).parent
PYTHON = HERE.parent.parent / ".peers" / "bin" / "python"
RUN_SECONDS_MAX = 1800
START_SECONDS_MAX = 120
SCRIPT_START_SECONDS = 5.0  # until it has asked for as much as it may
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")

Figures = dict[str, float]


@contextlib.contextmanager
def started(program: str, *arguments: str, python: Path) -> Iterator[tuple[str, int]]:
    """Yield the address and the process of a server of this folder."""
    process = subprocess.Popen(
        [str(python), str(HERE / program), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None, "it was asked for"
        yield process.stdout.readline().strip(), process.pid
    finally:
        assert process.stdin is not None, "it was asked for"
        process.stdin.close()
        process.wait(START_SECONDS_MAX)


def run_script(
    address: str,
    bodies: list[dict[str, Any]],
    *,
    in_flight: int,
    model: str = "openai/any",
    python: Path = PYTHON,
) -> Figures:
    """Run the asyncio script."""
    return _run("script.py", address, model, bodies, in_flight, python=python)


@contextlib.contextmanager
def script_at_work(
    address: str,
    bodies: list[dict[str, Any]],
    *,
    in_flight: int,
    model: str = "openai/any",
    python: Path = PYTHON,
) -> Iterator[None]:
    """Have the asyncio script ask while the body runs, and end it wherever it is."""
    with _in_a_file(bodies) as path:
        command = [str(python), str(HERE / "script.py"), address, model, path]
        process = subprocess.Popen(
            [*command, str(in_flight)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            time.sleep(SCRIPT_START_SECONDS)
            yield
            assert process.poll() is None, "the script was through before the body"
        finally:
            process.kill()
            process.wait(START_SECONDS_MAX)


def run_ray_data(address: str, bodies: list[dict[str, Any]], *, concurrency: int) -> Figures:
    """Run Ray Data's HTTP processor."""
    return _run("ray_http.py", address, "any", bodies, concurrency)


def run_litellm(address: str, bodies: list[dict[str, Any]], *, in_flight: int) -> Figures:
    """Run the asyncio script through a LiteLLM proxy, whose time counts as the client's."""
    with _proxy(address) as (proxy, pid):
        before = cpu_seconds(pid)
        figures = _run("script.py", proxy, "any", bodies, in_flight)
        figures["cpu_seconds"] += cpu_seconds(pid) - before
        return figures


def cpu_seconds(pid: int) -> float:
    """Return what a process and its children have used since they started."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    children = [
        int(child)
        for task in Path(f"/proc/{pid}/task").iterdir()
        for child in (task / "children").read_text().split()
    ]
    own = (int(fields[11]) + int(fields[12])) / CLOCK_TICKS
    return own + sum(cpu_seconds(child) for child in children)


def _run(
    program: str,
    address: str,
    model: str,
    bodies: list[dict[str, Any]],
    how_many: int,
    *,
    python: Path = PYTHON,
) -> Figures:
    with _in_a_file(bodies) as path:
        done = subprocess.run(
            [str(python), str(HERE / program), address, model, path, str(how_many)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=RUN_SECONDS_MAX,
            check=True,
        )
    figures: Figures = json.loads(done.stdout.splitlines()[-1])
    return figures


@contextlib.contextmanager
def _in_a_file(bodies: list[dict[str, Any]]) -> Iterator[str]:
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as requests:
        requests.writelines(json.dumps(body) + "\n" for body in bodies)
        requests.flush()
        yield requests.name


@contextlib.contextmanager
def _proxy(address: str) -> Iterator[tuple[str, int]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = {
        "model_list": [
            {
                "model_name": "any",
                "litellm_params": {
                    "model": "openai/any",
                    "api_base": f"{address}/v1",
                    "api_key": "any",
                },
            }
        ],
        "general_settings": {"dangerously_permit_weak_or_unset_master_key": True},
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "litellm.yaml"
        path.write_text(json.dumps(config))  # JSON is YAML
        command = [str(PYTHON.with_name("litellm")), "--telemetry", "False"]
        process = subprocess.Popen(
            [*command, "--config", str(path), "--host", "127.0.0.1", "--port", str(port)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=folder,
            env=clean_environment() | {"LITELLM_LOCAL_MODEL_COST_MAP": "True"},
        )
        try:
            _wait_until_alive(f"http://127.0.0.1:{port}/health/liveliness", process)
            yield f"http://127.0.0.1:{port}", process.pid
        finally:
            process.terminate()
            process.wait(START_SECONDS_MAX)


def _wait_until_alive(url: str, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5):
            return
        time.sleep(0.2)
    sys.exit(f"no proxy answers at {url}")
