"""Days of batches in virtual time: replicas take a while to start, and work by their speed."""

import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest

from support.fake_clock import NOON
from toplu.batch.schedule.due_work import DueWork
from toplu.placement.policy import Demand, Policy
from toplu.settings.model import ModelSettings

STEP = 10  # seconds
DAY = 24 * 3600
START_SECONDS = 120  # until a replica works
MOST = 6
IDLE = 600.0


@dataclass
class Job:
    target: datetime
    work: float


@dataclass
class Day:
    """A day of one model; a replica does a unit of work in a second."""

    idle_seconds: float = IDLE
    jobs: list[Job] = field(default_factory=list)
    ages: list[int] = field(default_factory=list)  # of the replicas, in seconds
    starts: int = 0
    late: int = 0
    wanted: list[int] = field(default_factory=list)
    paid: float = 0  # seconds of replicas

    def run(self, seed: int, *, mean_gap: float, mean_work: float, hours: float) -> None:
        rng = random.Random(seed)
        settings = ModelSettings(
            name="m", engine="echo", replicas_max=MOST, idle_seconds=self.idle_seconds
        )
        policy = Policy([settings])
        for second in range(0, DAY, STEP):
            now = NOON + timedelta(seconds=second)
            if second < DAY / 2 and rng.random() < STEP / mean_gap:
                target = now + timedelta(hours=hours)
                self.jobs.append(Job(target, rng.expovariate(1 / mean_work)))
            self._place(policy, now)
            self._work(now)

    def _place(self, policy: Policy, now: datetime) -> None:
        due = [DueWork(target=job.target, work=job.work) for job in self.jobs]
        there = len(self.ages)
        asked = Demand(due=due, of_one=1.0, there=there, ready=there)
        wanted = policy.wanted({"m": asked}, now)["m"]
        self.starts += max(0, wanted - there)
        self.ages = [*self.ages[:wanted], *([0] * (wanted - there))]
        self.wanted.append(wanted)

    def _work(self, now: datetime) -> None:
        self.paid += STEP * len(self.ages)
        power = STEP * sum(age >= START_SECONDS for age in self.ages)
        self.ages = [age + STEP for age in self.ages]
        for job in sorted(self.jobs, key=lambda it: it.target):
            done = min(power, job.work)
            job.work -= done
            power -= done
        self.late += sum(not job.work and now > job.target for job in self.jobs)
        self.jobs = [job for job in self.jobs if job.work]


@pytest.mark.parametrize("seed", range(4))
def test_all_is_done_in_time_with_few_starts_and_nothing_is_up_at_night(seed: int) -> None:
    day = Day()
    day.run(seed, mean_gap=300, mean_work=300, hours=0.5)
    assert day.jobs == []
    assert day.late == 0
    assert set(day.wanted) <= set(range(MOST + 1))
    assert day.wanted[-1] == 0
    assert day.paid < DAY
    restless = Day(idle_seconds=STEP)
    restless.run(seed, mean_gap=300, mean_work=300, hours=0.5)
    assert 2 * day.starts < restless.starts


def test_more_than_all_replicas_can_do_keeps_all_of_them_at_it() -> None:
    day = Day()
    day.run(1, mean_gap=600, mean_work=20_000, hours=1)
    assert max(day.wanted) == MOST
    first = day.wanted.index(MOST)
    assert set(day.wanted[first:]) == {MOST}
    assert day.late > 0
