"""Projects whose batches have hours and a budget: what is leased, and what it all costs."""

import random
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, select

from support.simulation.checkers import hold
from support.simulation.server_in_time import ServerInTime
from toplu.job import Job, ProjectId
from toplu.money import UNITS
from toplu.projects.terms import Caps
from toplu.settings.model import PriceSettings
from toplu.settings.server import TierSettings
from toplu.store.rows.schema import projects
from toplu.store.rows.spending import spent_on_day

PRICE = PriceSettings(input="2", output="2")
MOST = 66 * UNITS // 10**6  # that a request of a batch costs: 33 words are read and written
# A history begins at noon. A budget is that of a few requests.
CAPPED = TierSettings(name="capped", run="12:01-12:04", spend_per_day="0.0003")
TIERS = (TierSettings(name="free"), CAPPED)
# What runs when a budget is used up is paid, and a process that was killed has not counted all.
IN_FLIGHT_MAX = 24


def choose_capped(seed: int, among: Sequence[str], likely: float) -> list[str]:
    """Return the projects that are capped in a history."""
    chance = random.Random(seed + 3)
    return [project for project in among if chance.random() < likely]


async def put_in_tier(server: ServerInTime, capped: Sequence[str], tier: str) -> str:
    """Give the projects the tier; return its name."""
    for project in capped:
        await server.server.quotas.set_tier(ProjectId(project), tier)
    return tier


def check_lease(connection: Connection, job: Job, now: datetime) -> None:
    """Raise Violated if the terms of its project ought to have kept the job from going on."""
    tier = connection.scalar(select(projects.c.tier).where(projects.c.id == job.project))
    caps = Caps.of(next((it for it in TIERS if it.name == tier), TIERS[0]))
    if caps.hours is not None:
        hold(that=caps.hours.is_open(now), so=f"{job.id} was leased at {now}")
    if caps.of_day is not None:
        spent = spent_on_day(connection, job.project, now)
        most = caps.of_day + IN_FLIGHT_MAX * MOST
        hold(that=spent < most, so=f"{job.project} spent {spent} of {caps.of_day}, and goes on")
