"""One history: jobs come, time passes, faults strike, and everything ends.

Clients come through the API; what each step leaves is looked at by `checkers`.
"""

import contextlib
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from support.simulation.again import Again
from support.simulation.api_calls import Refused
from support.simulation.calls_at_once import ask_at_once
from support.simulation.capped import PRICE, TIERS, choose_capped, put_in_tier
from support.simulation.checkers import (
    FINAL,
    Checker,
    check_carried,
    check_output,
    check_usage,
    hold,
    read_output,
    rows_of_jobs,
)
from support.simulation.faults import Weather, tear_logs
from support.simulation.lines import (
    LINES_MAX,
    LONG_LINES_MAX,
    inlined,
    lines_of,
)
from support.simulation.plot import PROJECTS, Plot
from support.simulation.server_in_time import ServerInTime
from support.simulation.watched_leases import leases_watched
from support.simulation.watched_steps import check_owners, steps_watched

STEPS = 60
STEP_SECONDS_MAX = 6.0
CLEAR_SECONDS = 4000.0  # within which everything ends once nothing goes wrong any more
CLEAR_STEP_SECONDS = 20.0
RESTART = 0.3  # the probability, at each step, that a process which was killed comes back
JOBS_MAX = 5
TRIES_MAX = 100  # of a call while the weather is bad


@dataclass
class History:
    """The events of one seed."""

    seed: int
    folder: Path
    plot: Plot = field(default_factory=Plot)
    told: bool = False
    jobs: dict[str, list[bytes]] = field(default_factory=dict)  # by id
    projects_of: dict[str, str] = field(default_factory=dict)
    withdrawn: set[str] = field(default_factory=set)
    paused: set[str] = field(default_factory=set)
    completed: dict[str, str] = field(default_factory=dict)  # by id, the batch that takes it up
    log: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        calm = Weather(chance=random.Random(self.seed + 1))
        self.weather = calm if self.plot.clear else Weather.of(random.Random(self.seed + 1))
        for fault, likely in self.plot.weather.items():
            setattr(self.weather, fault, likely)
        self.server = ServerInTime(
            self.folder,
            random.Random(self.seed + 2),
            self.weather,
            shard_requests_max=8,
            processes=self.plot.processes,
            price=PRICE,
            tiers=TIERS,
        )
        self.again = Again(self)
        self.dead: list[int] = []  # processes that are not started again yet
        self.projects = PROJECTS[: self.plot.projects or self.chance.randint(1, len(PROJECTS))]
        self.capped = choose_capped(self.seed, self.projects, self.plot.capped)
        self.jump = self.plot.jump_of(self.chance)
        self.checker = Checker(self.server.data)
        executions = self.server.executions
        executions.leases_lapse = self.jump > 0
        weather = self.weather
        executions.writes_fail = any((weather.disk_full, weather.torn_write, weather.database_busy))
        self.requests_fail = any((weather.engine_crash, weather.engine_error, weather.engine_hang))

    def run(self) -> None:
        """Raise Violated if something that must hold did not."""
        with self.server.simulated(), leases_watched(), steps_watched(self.server):
            self.server.begin_life()
            self.insist(lambda: put_in_tier(self.server, self.capped, "capped"))
            wanted = self.chance.randint(1, JOBS_MAX)
            for step in range(STEPS):
                if len(self.jobs) < wanted and (step == 0 or self.chance.random() < 0.2):
                    self._create()
                self._disturb()
                self._pass(self.chance.uniform(0.01, STEP_SECONDS_MAX))
            self.weather.clear()
            self.note("the sky clears")
            while self.dead:
                self._restart()
            self.insist(lambda: put_in_tier(self.server, self.capped, "free"))
            for job in sorted(self.paused):
                self._pause(job)
            self._finish()

    def note(self, what: str) -> None:
        self.log.append(what)
        if self.told:
            print(what, flush=True)

    def _pass(self, seconds: float) -> None:
        self.server.pass_time(seconds)
        self.checker.look()
        for row in rows_of_jobs(self.server.data) if self.paused else ():
            hold(
                that=row["paused"] == (row["id"] in self.paused), so=f"{row['id']} forgot its pause"
            )
        check_owners(self.server)

    def _disturb(self) -> None:
        if self.dead and self.chance.random() < RESTART:
            self._restart()
        if self.chance.random() < self.plot.kill:
            self._kill()
        elif self.chance.random() < self.jump:
            jump = self.chance.choice(self.plot.jumps)
            self.note(f"the clock jumps by {jump} s")
            self.server.clock.offset += timedelta(seconds=jump)
        elif self.chance.random() < self.plot.withdraw and self.jobs:
            self._withdraw(self.chance.choice(sorted(self.jobs)))
        elif self.chance.random() < self.plot.pause and self.jobs:
            self._pause(self.chance.choice(sorted(self.jobs)))
        elif self.chance.random() < self.plot.complete:
            self._complete_one()
        if self.chance.random() < self.plot.ask:
            ask_at_once(self)
        self.again.disturb()

    def _kill(self) -> None:
        self.note(f"killed at {self.server.clock_seconds:.3f}")
        over = {row["id"] for row in rows_of_jobs(self.server.data) if row["state"] in FINAL}
        self.server.executions.look_at_kill(over)
        if self.plot.processes == 1:
            self.server.kill()
            tear_logs(self.server.data, self.chance)
            self.server.begin_life()
            return
        while len(self.dead) >= self.plot.processes - 1:
            self._restart()
        living = [it for it in range(self.plot.processes) if it not in self.dead]
        self.dead.append(self.chance.choice(living))
        self.server.kill(self.dead[-1])
        tear_logs(self.server.data, self.chance)

    def _restart(self) -> None:
        self.note("one is started again")
        self.server.begin_life(self.dead.pop(0))

    def _create(self) -> None:
        name = f"job-{len(self.jobs)}"
        is_long = self.chance.random() < self.plot.long
        is_inline = not is_long and self.chance.random() < 0.3
        most = LONG_LINES_MAX if is_long else LINES_MAX
        lines = lines_of(self.chance, name, most, self.plot, whole=is_inline)
        project = self.chance.choice(self.projects)
        priority = self.chance.randint(-1, 1)
        self.note(f"{name} of project {project}: {len(lines)} lines, inline: {is_inline}")
        self.create(project, lines, is_inline=is_inline, priority=priority)

    def create(
        self, project: str, lines: list[bytes], *, is_inline: bool, priority: int = 0
    ) -> str:
        """Make a batch, and take note of it."""
        reuse = "project" if self.plot.again else "never"

        async def create() -> str:
            api = await self.server.api(project)
            if is_inline:
                config = {"requests": {"requests": inlined(lines)}}
            else:
                config = {"fileName": await api.upload(b"".join(it + b"\n" for it in lines))}
            return await api.create(config, priority, reuse)

        job = self.insist(create)
        self._expect(job, project, lines)
        return job

    def _expect(self, job: str, project: str, lines: list[bytes]) -> None:
        self.jobs[job] = lines
        self.projects_of[job] = project
        self.server.executions.expect(job, lines, project)

    def insist(self, do: Callable[[], Awaitable[str]]) -> str:
        """Do it again until the weather lets it be done."""

        async def insist() -> str:
            for _ in range(TRIES_MAX):
                with contextlib.suppress(Exception):
                    return await do()
            raise AssertionError("the weather is too bad to begin")

        done = self.server.pass_time(0.0, insist)
        assert done is not None
        return done

    def _withdraw(self, job: str) -> None:
        row = next(row for row in rows_of_jobs(self.server.data) if row["id"] == job)
        self.note(f"{job} is cancelled, {row['state']}")
        self.withdrawn.add(job)

        async def cancel() -> None:
            with contextlib.suppress(Exception):
                api = await self.server.api(self.projects_of[job])
                await api.call("POST", f"/v1beta/batches/{job}:cancel")

        self.server.pass_time(0.0, cancel)

    def _pause(self, job: str) -> None:
        """Pause a batch, or go on with it if it is paused."""
        row = {row["id"]: row for row in rows_of_jobs(self.server.data)}[job]
        if row["state"] in FINAL:
            return
        verb = "resume" if job in self.paused else "pause"
        self.note(f"{verb} {job}, {row['state']}")

        async def ask() -> str:
            api = await self.server.api(self.projects_of[job])
            try:
                await api.call("POST", f"/v1beta/batches/{job}:{verb}")
            except Refused as refused:
                if "FAILED_PRECONDITION" not in str(refused):  # else it has just ended
                    raise
            return job

        self.insist(ask)
        if verb == "pause":
            self.paused.add(job)
        else:
            self.paused.discard(job)

    def _complete_one(self) -> None:
        """Have a batch that was cancelled be taken up by one with all of its results."""
        rows = {row["id"]: row for row in rows_of_jobs(self.server.data)}
        over = [it for it in sorted(self.withdrawn) if rows[it]["state"] == "CANCELLED"]
        if not (over := [it for it in over if it not in self.completed]):
            return
        job = self.chance.choice(over)
        done = rows[job]["succeeded"]

        async def complete() -> str:
            api = await self.server.api(self.projects_of[job])
            headers = {"idempotency-key": job}
            path = f"/v1beta/batches/{job}:retry"
            reply = await api.call("POST", path, b'{"merge": true}', headers)
            return str(reply["name"]).removeprefix("batches/")

        made = self.completed[job] = self.insist(complete)
        self.note(f"{job} is completed by {made}, {done} are done")
        self._expect(made, self.projects_of[job], self.jobs[job])

    def _finish(self) -> None:
        passed = 0.0
        while any(row["state"] not in FINAL for row in rows_of_jobs(self.server.data)):
            hold(that=passed < CLEAR_SECONDS, so=f"unfinished after {passed} s of fair weather")
            self._pass(CLEAR_STEP_SECONDS)
            passed += CLEAR_STEP_SECONDS
        self._pass(CLEAR_STEP_SECONDS)
        self.again.look()
        visible = [row for row in rows_of_jobs(self.server.data) if not row["deleted"]]
        rows: dict[str, Any] = {row["id"]: row for row in visible}
        hold(that=rows.keys() == self.jobs.keys(), so="a job was lost, or is there twice")
        for job, by in self.completed.items():
            check_carried(rows[job], rows[by])
        for job, lines in self.jobs.items():
            state = rows[job]["state"]
            self.note(f"{job} ended {state}")
            if state == "SUCCEEDED":
                output = read_output(self.server.data, job)
                check_output(output, lines, rows[job])
                others = rows[job]["carried"] or rows[job]["reused_requests"]
                if not (self.requests_fail or others):
                    check_usage(lines, rows[job])
            else:
                hold(
                    that=state == "CANCELLED" and job in self.withdrawn,
                    so=f"{job} ended {state} for no reason",
                )
        self.server.kill()
