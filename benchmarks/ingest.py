"""What planning costs (B10): CPU time over the least that reads the input, and memory.

The limit arm hashes the input and decodes each line into its types, and does nothing else. The
other one is the child that orders it. Two kinds of input: short lines, and lines with passages.
"""

import hashlib
import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import msgspec
from passages import lines

from toplu.batch.planning import PlanRules, read_lines
from toplu.batch.planning_child import PlanningTask, plan_input
from toplu.gemini.jsonl import read_line
from toplu.job import Method
from toplu.settings import DEFAULT_MODEL, MIB, Settings

SHORT_LINES = 200_000
PASSAGES = 10_000


def measure() -> dict[str, Any]:
    """Return the figures of both inputs."""
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="toplu-bench-") as folder:
        for name, content in (("short", short_lines()), ("passages", passage_lines())):
            path = Path(folder) / name
            path.write_bytes(content)
            limit, order = run("limit", path), run("order", path)
            figures[f"{name}_megabytes"] = len(content) / 1e6
            figures[f"{name}_order_cpu_seconds_per_gb"] = order["cpu"] / len(content) * 1e9
            figures[f"{name}_order_over_limit"] = order["cpu"] / limit["cpu"]
            figures[f"{name}_peak_mib"] = order["peak_mib"]
    return figures


def short_lines() -> bytes:
    return b"".join(
        b'{"key":"k%d","request":{"contents":[{"parts":[{"text":"Rate %d of item %d."}]}]}}\n'
        % (number, number * 7919 % SHORT_LINES, number % 1009)
        for number in range(SHORT_LINES)
    )


def passage_lines() -> bytes:
    return b"".join(msgspec.json.encode(line) + b"\n" for line in lines(PASSAGES))


def run(arm: str, path: Path) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, __file__, arm, str(path)], stdout=subprocess.PIPE, check=True
    )
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def run_limit(path: Path) -> None:
    with path.open("rb") as file:
        hashlib.file_digest(file, "sha256")
        for span, line in read_lines(file, 20 * MIB):
            read_line(line or b"", span.number)


def run_order(path: Path) -> None:
    settings = Settings()
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        plan_input(
            PlanningTask(
                rules=PlanRules(
                    method=Method.GENERATE,
                    model=DEFAULT_MODEL,
                    deduplication=settings.deduplication,
                    requests_max=settings.job_requests_max,
                    line_bytes_max=settings.line_bytes_max,
                    shard_requests_max=settings.shard_requests_max,
                    shard_bytes_max=settings.shard_bytes_max,
                ),
                input_path=str(path),
                head_path=None,
                head_count=0,
                folder=folder,
                order_path=f"{folder}/order",
            )
        )


if __name__ == "__main__":
    {"limit": run_limit, "order": run_order}[sys.argv[1]](Path(sys.argv[2]))
    used = resource.getrusage(resource.RUSAGE_SELF)
    # Not `ru_maxrss`, which begins with what the parent had.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    peak_kib = int(status.split("VmHWM:")[1].split()[0])
    figures = {"cpu": used.ru_utime + used.ru_stime, "peak_mib": peak_kib / 1024}
    sys.stdout.write(json.dumps(figures))
