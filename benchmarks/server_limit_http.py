"""The limit that is searched for over HTTP (B7): a server with a knee, with 429s and with faults.

Beyond its knee the scripted server takes ever longer, far beyond it refuses with 429, and now and
then it fails for no reason. The best fixed limit is found by a sweep without faults.
"""

import asyncio
import logging
import random
import time
from typing import Any

import structlog
from aiohttp import web
from sizes import Size

from support.engines.misbehaving_server import (
    Behaviour,
    MisbehavingServer,
    half,
    refusing,
    reset,
    right,
)
from support.engines.pool_before_servers import world

KNEE, ROOM = 16, 48
SECONDS = 0.1  # of a request, up to the knee
FAULTS: tuple[Behaviour, ...] = (refusing(503), refusing(429, Retry_After="0"), reset, half)
FAULTS_SHARE = 0.01
FIRST, MOST = 8, 256
SWEPT = {Size.TINY: (16,), Size.SELECTION: (8, 16, 24), Size.FULL: (4, 8, 12, 16, 20, 24, 32)}
WARM = {Size.TINY: 50, Size.SELECTION: 2500, Size.FULL: 5000}  # until the limit is found
MEASURED = {Size.TINY: 100, Size.SELECTION: 1000, Size.FULL: 2000}
WORLD_SECONDS_MAX = 900


def measure(size: Size) -> dict[str, float | str]:
    """Return the share of the best fixed limit's answers a second, and how many were lost."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    count, warm = MEASURED[size], WARM[size]
    swept = {limit: _run(limit, limit, 0, count, faults=0.0)[0] for limit in SWEPT[size]}
    best = max(swept, key=lambda limit: swept[limit])
    calm, lost = _run(FIRST, MOST, warm, count, faults=0.0)
    shaken, lost_shaken = _run(FIRST, MOST, warm, count, faults=FAULTS_SHARE)
    return {
        "best_fixed_limit": str(best),
        "answers_per_second_at_it": swept[best],
        "share_of_the_best": calm / swept[best],
        f"share_with_{FAULTS_SHARE:.0%}_faults": shaken / swept[best],
        "requests_lost": float(lost + lost_shaken),
    }


def _run(first: int, most: int, warm: int, count: int, *, faults: float) -> tuple[float, int]:
    return asyncio.run(_answered(first, most, warm, count, faults=faults))


async def _answered(
    first: int, most: int, warm: int, count: int, *, faults: float
) -> tuple[float, int]:
    """Return the answers a second behind the first `warm`, and how many were not right."""
    chance = random.Random(7)

    async def with_a_knee(server: MisbehavingServer, request: web.Request, body: Any) -> Any:
        if server.running > ROOM:
            return await refusing(429)(server, request, body)
        if chance.random() < faults:
            return await chance.choice(FAULTS)(server, request, body)
        await asyncio.sleep(SECONDS * max(1.0, server.running / KNEE) ** 2)
        return await right(server, request, body)

    server = MisbehavingServer(lambda *_: with_a_knee)
    remote = {"requests_first": first, "requests_max": most, "attempts_max": 20}
    ended_at: list[float] = []
    async with world(server, seconds_max=WORLD_SECONDS_MAX, **remote) as here:

        async def ask(number: int) -> bool:
            try:
                return await here.ask(f"question {number}") == f"re: question {number}"
            finally:
                ended_at.append(time.monotonic())

        asked = (ask(number) for number in range(warm + count))
        answers = await asyncio.gather(*asked, return_exceptions=True)
    lost = sum(answer is not True for answer in answers)
    # The last ones do not fill the limit any more.
    measured = ended_at[warm : warm + count - 2 * KNEE]
    return len(measured) / (measured[-1] - measured[0]), lost
