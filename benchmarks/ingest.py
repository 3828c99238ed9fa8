"""Measures the intake of a large input (B10): CPU time over the least that reads it, and memory.

The limit arm hashes the input and decodes each line into its types, and does nothing else. The
other one is a server that is sent the input, makes a batch of it, and orders it in its child while
the first requests run on an engine that answers none. LiteLLM and vLLM's `run_batch` have no arm:
by their code both read the whole file into memory.
"""

import hashlib
import json
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from arms import CLOCK_TICKS, pss_bytes_of
from sizes import Size

from support.jobs import create_job_from, send_chunk, start_upload
from support.model_tables import echo_model
from support.server import Server, started_server
from toplu.batch.plan.ordering import read_lines
from toplu.settings.server import MIB
from toplu.wire.gemini.jsonl import read_line

LINES = {Size.TINY: 20_000, Size.SELECTION: 1_000_000, Size.FULL: 10_000_000}
LINE = (
    '{"key":"k%08d","request":{"contents":[{"role":"user","parts":[{"text":"Item %08d of shelf %05d'
    ': rate what was written about it from one to ten."}]}],'
    '"generationConfig":{"temperature":0}}}\n'
)
SHELVES = 10_007
LINES_AT_ONCE = 10_000
CHUNK_BYTES = 8 * MIB
LINE_BYTES_MAX = 20 * MIB
FIRST_SECONDS_MAX = 60.0
ORDER_SECONDS_MAX = 3000.0


def measure(size: Size) -> dict[str, Any]:
    """Return the figures of one input."""
    with tempfile.TemporaryDirectory(prefix="toplu-bench-") as folder:
        path = Path(folder) / "input.jsonl"
        write_lines(path, LINES[size])
        gigabytes = path.stat().st_size / 1e9
        limit_cpu = run_limit_arm(path)
        figures = run_server(Path(folder), path)
    return {
        "lines": LINES[size],
        "gigabytes": gigabytes,
        "limit_cpu_seconds_per_gb": limit_cpu / gigabytes,
        "cpu_seconds_per_gb": figures["cpu_seconds"] / gigabytes,
        "cpu_over_limit": figures["cpu_seconds"] / limit_cpu,
        **{name: value for name, value in figures.items() if name != "cpu_seconds"},
    }


def write_lines(path: Path, count: int) -> None:
    """Write lines of two hundred bytes, those of a shelf far from each other."""
    with path.open("w", encoding="ascii") as file:
        for first in range(0, count, LINES_AT_ONCE):
            numbers = range(first, min(count, first + LINES_AT_ONCE))
            file.writelines(LINE % (each, each, each * 7919 % SHELVES) for each in numbers)


def run_limit_arm(path: Path) -> float:
    """Return the CPU seconds of a process that reads and nothing else."""
    done = subprocess.run(
        [sys.executable, __file__, str(path)], stdout=subprocess.PIPE, check=True, text=True
    )
    return float(json.loads(done.stdout))


def read_all(path: Path) -> None:
    with path.open("rb") as file:
        hashlib.file_digest(file, "sha256")
        for span, line in read_lines(file, LINE_BYTES_MAX):
            read_line(line or b"", span.number)


def run_server(folder: Path, path: Path) -> dict[str, float]:
    """Return what a server and its child take until the whole input is in order."""
    config = echo_model(delay_seconds=3600.0)
    with started_server(folder, config=config, log_level="debug") as server:
        before = cpu_with_children(server)
        name = send(server, path)
        uploaded = cpu_with_children(server) - before
        created = time.monotonic()
        job = create_job_from(server, name).removeprefix("batches/")
        server.wait_for_event("request_started", FIRST_SECONDS_MAX, job=job)
        first_seconds = time.monotonic() - created
        child_peak, pss_peak = wait_for_the_order(server)
        ordered_seconds = time.monotonic() - created
        server_peak = server.memory_peak_bytes()
        used = cpu_with_children(server) - before
    return {
        "cpu_seconds": used,
        "upload_cpu_seconds": uploaded,
        "server_peak_mib": server_peak / MIB,
        "child_peak_mib": child_peak / MIB,
        "peak_mib": (server_peak + child_peak) / MIB,
        "pss_of_all_processes_mib": pss_peak / MIB,
        "create_to_first_request_seconds": first_seconds,
        "create_to_order_seconds": ordered_seconds,
    }


def send(server: Server, path: Path) -> str:
    """Upload the file piece by piece; return its name."""
    size = path.stat().st_size
    session = start_upload(server, size)
    with path.open("rb") as file:
        for offset in range(0, size, CHUNK_BYTES):
            is_last = offset + CHUNK_BYTES >= size
            command = "upload, finalize" if is_last else "upload"
            reply = send_chunk(server, session, offset, file.read(CHUNK_BYTES), command)
            assert reply.status == 200, reply.body
    return str(reply.json()["file"]["name"])


def wait_for_the_order(server: Server) -> tuple[int, int]:
    """Return the most bytes that a child had, and all processes together, when all is in order."""
    peak, pss_peak = 0, 0

    def is_ordered() -> bool:
        nonlocal peak, pss_peak
        children = server.child_pids()
        for pid in children:
            with suppress(OSError, IndexError):
                status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
                peak = max(peak, int(status.split("VmHWM:")[1].split()[0]) * 1024)
        pss_peak = max(pss_peak, sum(pss_bytes_of(pid) for pid in (*server.pids, *children)))
        # A small input is ordered as it is planned.
        return bool(server.events("job_ordered") or server.events("job_planned", whole=True))

    server.wait_until(is_ordered, ORDER_SECONDS_MAX, "the order")
    return peak, pss_peak


def cpu_with_children(server: Server) -> float:
    """Return what the server has used, with the children that have ended."""
    total = 0
    for pid in server.pids:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
        total += sum(int(field) for field in fields[11:15])
    return total / CLOCK_TICKS


if __name__ == "__main__":
    read_all(Path(sys.argv[1]))
    used = resource.getrusage(resource.RUSAGE_SELF)
    sys.stdout.write(json.dumps(used.ru_utime + used.ru_stime))
