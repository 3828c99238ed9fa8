"""Tenants of one server in virtual time: how long the job of one takes beside another one's.

    stdin: {"jobs": [{"project": "a", "arrives": 0, "requests": 400, "tokens": 40}, …],
            "until": 200, "target": 86400}            stdout: for each job its seconds, or null

Times are those of the server's own rows.
"""

import json
import random
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from support.simulation.checkers import rows_of_jobs
from support.simulation.faults import Weather
from support.simulation.lanes_in_time import SteadyEngine
from support.simulation.own_process import answer, ask
from support.simulation.server_in_time import ServerInTime

LANES = 4
STEP_SECONDS = 5.0


def seconds_of(
    jobs: Sequence[dict[str, Any]], until: float, target: float = 86_400.0, workers: int = 1
) -> Any:
    """Return for each job how long it took; None: it was not done by `until`.

    The lanes are divided among so many workers.
    """
    return ask(__file__, jobs=list(jobs), until=until, target=target, workers=workers)


def _seconds(
    jobs: Sequence[dict[str, Any]], until: float, target: float, workers: int
) -> list[float | None]:
    chance = random.Random(0)
    with tempfile.TemporaryDirectory() as folder:
        server = ServerInTime(
            Path(folder),
            chance,
            Weather(chance=chance),
            SteadyEngine,
            lanes=LANES // workers,
            processes=workers,
            shard_requests_max=16,
            job_target_seconds=target,
        )
        ids: list[str] = []
        with server.simulated():
            server.begin_life()
            for job in sorted(jobs, key=lambda it: it["arrives"]):
                server.pass_time(max(0.0, job["arrives"] - server.clock_seconds))
                ids.append(_create(server, job))
            while server.clock_seconds < until:
                server.pass_time(STEP_SECONDS)
                if all(row["ended"] is not None for row in rows_of_jobs(server.data)):
                    break
            rows = {row["id"]: row for row in rows_of_jobs(server.data)}
            server.kill()
    return [
        None if rows[it]["ended"] is None else (rows[it]["ended"] - rows[it]["created"]) / 1e6
        for it in ids
    ]


def _create(server: ServerInTime, job: dict[str, Any]) -> str:
    lines = [
        {"request": {"contents": [{"role": "user", "parts": [{"text": text}]}]}}
        for place in range(job["requests"])
        for text in [" ".join([f"{job['project']}-{place}", *["word"] * (job["tokens"] - 1)])]
    ]

    async def create() -> str:
        api = await server.api(job["project"])
        file = await api.upload(b"".join(json.dumps(line).encode() + b"\n" for line in lines))
        return await api.create({"fileName": file})

    name = server.pass_time(0.0, create)
    assert name is not None
    return name


if __name__ == "__main__":
    answer(_seconds)
