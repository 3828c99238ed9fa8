"""Measures `/metrics` of a server with a thousand projects, all of which wait and have used tokens.

The time is that of a scrape: what rows say, what the process counted, and the text. Models, routes
and codes have their counters as well. Half of the projects have a second batch, of another model.
"""

import asyncio
import random
import statistics
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2 as httpx
from sizes import Size

from support.store.rows import some_shards
from toplu.clock import SystemClock
from toplu.job import InputForm, Job, JobId, ProjectId
from toplu.metrics.measured import HTTP_REQUESTS, HTTP_SECONDS, note_tokens
from toplu.monitoring.exporter import REST
from toplu.settings.server import ModelSettings, Settings
from toplu.store.data_folder import DataFolder
from toplu.store.rows.jobs import JobRows
from toplu.store.rows.sqlite import SqliteDatabase
from toplu.wiring.server import Server, open_server

PROJECTS = {Size.TINY: 20, Size.SELECTION: 1000, Size.FULL: 1000}
SCRAPES = {Size.TINY: 2, Size.SELECTION: 10, Size.FULL: 30}
MODELS = tuple(
    ModelSettings(name=f"echo-{number}", aliases=(f"gemini-{number}",), engine="echo")
    for number in range(4)
)
CODES = ("200", "400", "404", "429", "503")
PAUSE_SECONDS = 0.5


def measure(size: Size) -> dict[str, Any]:
    """Return the median and the longest time of a scrape, its processor time, and its size."""
    return asyncio.run(_measure(PROJECTS[size], SCRAPES[size]))


async def _measure(projects: int, scrapes: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="toplu-bench-") as folder:
        settings = Settings(data_dir=Path(folder), models=MODELS)
        async with open_server(settings, any_key_until_first=True) as server:
            names = [f"project-{number:04}-{'x' * 40}" for number in range(projects)]
            await _wait_all(settings, names)
            _count_all(server, names)
            taken, worked, text = [], [], b""
            for _ in range(scrapes):
                # So long that none is answered with what was read for the one before.
                await asyncio.sleep(PAUSE_SECONDS + 2 * REST * max(taken[-1:], default=0) / 1000)
                begun, cpu = time.perf_counter(), time.process_time()
                text = await _scrape(server)
                worked.append((time.process_time() - cpu) * 1000)
                taken.append((time.perf_counter() - begun) * 1000)
    return {
        "projects": projects,
        "median_ms": statistics.median(taken),
        "longest_ms": max(taken),
        "median_cpu_ms": statistics.median(worked),
        "bytes": len(text),
    }


async def _scrape(server: Server) -> bytes:
    transport = httpx.ASGITransport(app=server.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        answer = await client.get("/metrics")
    assert answer.status_code == httpx.codes.OK, answer.text
    return answer.content


async def _wait_all(settings: Settings, projects: list[str]) -> None:
    """Have a batch of every project wait, of some two."""
    database = await SqliteDatabase.open(DataFolder(settings.data_dir).database, upgrades=False)
    jobs, now = JobRows(database), SystemClock().now()
    for number, project in enumerate(projects):
        for model in MODELS[: 1 + number % 2]:
            job = Job(
                id=JobId(f"{number}-{model.name}"),
                project=ProjectId(project),
                model=model.name,
                engine=model.name,
                display_name=None,
                input_form=InputForm.FILE,
                input_file=None,
                created=now,
                updated=now,
                expires=now + timedelta(hours=48),
                tokens_estimate=random.randrange(10**6),
            )
            await jobs.create(job, unfinished_max=9)
            await jobs.plan(job.id, some_shards(job.id, 1000), 1000, now)
    await database.close()


def _count_all(server: Server, projects: list[str]) -> None:
    """Have every project have used something, and every route been called."""
    for project in projects:
        note_tokens(MODELS[0].name, project, prompt=100, cached=50, output=10)
    for route in server.routes:
        name = f"POST {getattr(route, 'path', '')}"
        HTTP_SECONDS.labels(name).observe(0.1)
        for code in CODES:
            HTTP_REQUESTS.labels(name, code).inc()
