"""One history by its seed: `make simulate SEED=7` runs it again, step by step the same.

jobs come ─ time passes ─ faults strike ─ the server is killed ─ … ─ the sky clears ─ all ends
                 after each step everything is looked at, see `checkers`
"""

import argparse
import contextlib
import json
import logging
import os
import random
import sys
import tempfile
import traceback
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import structlog
from checkers import FINAL, Checker, Violated, check_output, hold, read_output, rows_of_jobs
from faults import Weather
from house_in_time import HouseInTime
from planted_bugs import BUGS
from sqlalchemy import Connection, and_, select

from toplu.batch import paths
from toplu.job import InputForm, Job, JobId, ProjectId
from toplu.store import leases
from toplu.store.result_log import HEADER
from toplu.store.schema import shards

STEPS = 60
STEP_SECONDS_MAX = 6.0
CLEAR_SECONDS = 4000.0  # within which everything ends once nothing goes wrong any more
CLEAR_STEP_SECONDS = 20.0
JOBS_MAX = 5
LINES_MAX = 40
WORDS_MAX = 30


@dataclass
class History:
    """What one seed makes happen."""

    seed: int
    folder: Path
    told: bool = False
    jobs: dict[str, list[bytes]] = field(default_factory=dict)
    withdrawn: set[str] = field(default_factory=set)
    log: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self.weather = Weather.of(random.Random(self.seed + 1))
        self.house = HouseInTime(
            self.folder, random.Random(self.seed + 2), self.weather, shard_requests_max=8
        )
        self.projects = ["a", "b", "c"][: self.chance.randint(1, 3)]
        self.checker = Checker(self.house.data)

    def run(self) -> None:
        """Raise Violated if something that must hold did not."""
        with self.house.simulated(), _leases_watched():
            self.house.begin_life()
            wanted = self.chance.randint(1, JOBS_MAX)
            for step in range(STEPS):
                if len(self.jobs) < wanted and (step == 0 or self.chance.random() < 0.2):
                    self._create()
                self._disturb()
                self._pass(self.chance.uniform(0.01, STEP_SECONDS_MAX))
            self.weather.clear()
            self.note("the sky clears")
            self._finish()

    def note(self, what: str) -> None:
        self.log.append(what)
        if self.told:
            print(what, flush=True)

    def _pass(self, seconds: float) -> None:
        self.house.pass_time(seconds)
        self.checker.look()

    def _disturb(self) -> None:
        what = self.chance.random()
        if what < 0.06:
            self.note(f"killed at {self.house.clock_seconds:.3f}")
            self.house.kill()
            self._tear_logs()
            self.house.begin_life()
        elif what < 0.09:
            jump = self.chance.choice([-3600, -90, 70, 200, 3600])
            self.note(f"the clock jumps by {jump} s")
            self.house.clock.offset += timedelta(seconds=jump)
        elif what < 0.11 and self.jobs:
            self._withdraw(self.chance.choice(sorted(self.jobs)))

    def _tear_logs(self) -> None:
        """Leave at the end of a file what a disk may leave there that was not told to be sure."""
        for path in sorted(self.house.data.results.glob("*/*.log")):
            if self.chance.random() < 0.5:
                size = self.chance.randint(1, 60)
                with path.open("ab") as file:
                    file.write(self.chance.choice([b"\0" * size, _looks_whole(self.chance)]))

    def _create(self) -> None:
        name = f"job-{len(self.jobs)}"
        lines = [
            _line(self.chance, name, place) for place in range(self.chance.randint(1, LINES_MAX))
        ]
        project = self.chance.choice(self.projects)
        self.note(f"{name} of project {project}: {len(lines)} lines")
        self.jobs[name] = lines

        async def create() -> None:
            for _ in range(100):  # until the weather lets it
                with contextlib.suppress(Exception):
                    await self._keep(name, project, lines)
                    return
            raise AssertionError("the weather is too bad to begin")

        self.house.pass_time(0.0, create)

    async def _keep(self, name: str, project: str, lines: list[bytes]) -> None:
        async def chunks() -> AsyncIterator[bytes]:
            for line in lines:
                yield line + b"\n"

        middle = self._middle()
        now = self.house.clock.now()
        job = Job(
            id=JobId(name),
            project=ProjectId(project),
            model="gemini-2.5-flash",
            engine="echo",
            display_name=None,
            input_form=InputForm.FILE,
            input_file="input",
            priority=self.chance.randint(-1, 1),
            tokens_estimate=sum(len(line) for line in lines) // 4,
            created=now,
            updated=now,
            expires=now + timedelta(hours=48),
        )
        intake = middle.intake
        await intake._blobs.put(paths.input_lines(job.id), chunks())
        await intake._admission._jobs.create(job, unfinished_max=100)
        intake._admission._created.ring()

    def _withdraw(self, name: str) -> None:
        row = next(row for row in rows_of_jobs(self.house.data) if row["id"] == name)
        self.note(f"{name} is cancelled, {row['state']}")
        self.withdrawn.add(name)

        async def cancel() -> None:
            with contextlib.suppress(Exception):
                await self._middle().withdrawal.cancel(ProjectId(row["project"]), JobId(name))

        self.house.pass_time(0.0, cancel)

    def _finish(self) -> None:
        passed = 0.0
        while any(row["state"] not in FINAL for row in rows_of_jobs(self.house.data)):
            hold(that=passed < CLEAR_SECONDS, so=f"unfinished after {passed} s of fair weather")
            self._pass(CLEAR_STEP_SECONDS)
            passed += CLEAR_STEP_SECONDS
        self._pass(CLEAR_STEP_SECONDS)
        rows = {row["id"]: row for row in rows_of_jobs(self.house.data)}
        hold(that=rows.keys() == self.jobs.keys(), so="a job was lost")
        for name, lines in self.jobs.items():
            state = rows[name]["state"]
            self.note(f"{name} ended {state}")
            if state == "SUCCEEDED":
                check_output(read_output(self.house.data, name), lines, rows[name])
            else:
                hold(
                    that=state == "CANCELLED" and name in self.withdrawn,
                    so=f"{name} ended {state} for no reason",
                )
        self.house.kill()

    def _middle(self) -> Any:
        assert self.house.house is not None
        return self.house.house.middle


def _line(chance: random.Random, job: str, place: int) -> bytes:
    if chance.random() < 0.03:
        return b'{"key": broken'
    words = " ".join(f"word{chance.randint(0, 9)}" for _ in range(chance.randint(1, WORDS_MAX)))
    text = f"{job} {place} {words}"
    contents = [{"parts": [{"text": text}]}]
    return json.dumps({"key": f"{job}-{place}", "request": {"contents": contents}}).encode()


def _looks_whole(chance: random.Random) -> bytes:
    """Return a record that says nothing, with a checksum of nothing."""
    payload = b'{"key": "from nowhere", "error": {"code": 13, "message": "x"}}'
    return HEADER.pack(len(payload), 0, chance.randint(0, LINES_MAX), 0, 0, 0, 0) + payload


@contextlib.contextmanager
def _leases_watched() -> Iterator[None]:
    """Have every lease be of a shard that nobody held, and every count be of the last lease."""
    lease_shard, record_one = leases.lease_shard, leases._record_one

    def watched_lease(connection: Connection, **question: Any) -> Any:
        held = {
            (row.job, row.number): (row.owner, row.lease_expires)
            for row in connection.execute(select(shards))
        }
        lease = lease_shard(connection, **question)
        if lease is not None:
            owner, expires = held[lease.job.id, lease.shard.number]
            is_free = owner is None or expires <= question["now"]
            hold(that=is_free, so=f"{lease.job.id}/{lease.shard.number} was held by {owner}")
        return lease

    def watched_record(connection: Connection, progress: Any, at: Any) -> bool:
        shard = progress.lease.shard
        is_it = and_(shards.c.job == shard.job, shards.c.number == shard.number)
        epoch = connection.scalar(select(shards.c.epoch).where(is_it))
        counted: bool = record_one(connection, progress, at)
        so = f"{shard.job}/{shard.number}: epoch {shard.epoch} counted while {epoch} was leased"
        hold(that=not counted or epoch == shard.epoch, so=so)
        return counted

    with (
        mock.patch.object(leases, "lease_shard", watched_lease),
        mock.patch.object(leases, "_record_one", watched_record),
    ):
        yield


def first_violation(seeds: range, bug: str | None = None, *, told: bool = False) -> int | None:
    """Return the first seed whose history goes wrong, after saying how."""
    for seed in seeds:
        planted = BUGS[bug]() if bug else contextlib.nullcontext()
        with tempfile.TemporaryDirectory() as folder, planted:
            history = History(seed, Path(folder), told)
            try:
                history.run()
            except Violated as violation:
                print(f"seed {seed}: {violation}\n  make simulate SEED={seed}")
                return seed
            except Exception:  # noqa: BLE001  # told with its seed
                print(f"seed {seed}:\n{traceback.format_exc()}  make simulate SEED={seed}")
                return seed
    return None


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, help="one history, told as it goes")
    parser.add_argument("--seeds", type=int, default=20, help="so many histories")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--bug", choices=sorted(BUGS))
    parser.add_argument("--log", action="store_true", help="with the server's own log")
    given = parser.parse_args()
    level = logging.DEBUG if given.log else logging.CRITICAL
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(level))
    one = given.seed is not None
    seeds = (
        range(given.seed, given.seed + 1) if one else range(given.first, given.first + given.seeds)
    )
    return 1 if first_violation(seeds, given.bug, told=one) is not None else 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    # What killed servers left must not come to life when the interpreter tidies up.
    os._exit(code)
