"""Compares the limit that is searched for with the best one (B7), in virtual time.

The product's own limiter asks servers whose yield grows to a knee and then stays, or falls to a
quarter of it, that answer 429 where more are asked, or that refuse some for no reason. Peers have a
fixed number of requests in flight, or AIMD, which sees refusals and no yield. Nothing is timed.
"""

import statistics
from typing import Any

from sizes import Size

from support.fleet.virtual_server import (
    VirtualServer,
    Yield,
    best_fixed,
    flat_from,
    saturating,
    thrashing_from,
)
from toplu.fleet.remote.limiter import Limiter

MOST = 256
WINDOWS = 30  # until it has to be near
WINDOWS_MEASURED = 60
WINDOWS_STEADY = 5  # so many in the mean, for one may be a look to the side
NEAR = 0.95
FIXED = (8, 64, 512)
SEEDS = {Size.TINY: range(1), Size.SELECTION: range(5), Size.FULL: range(5)}
SERVERS: dict[str, Yield] = {
    **{f"flat_from_{knee}": flat_from(knee) for knee in (5, 12, 40, 100, 200)},
    **{f"thrashing_from_{knee}": thrashing_from(knee) for knee in (5, 12, 40, 100, 200)},
    "saturating": saturating(100),
}
ROOMS = (10, 64)  # of servers that answer 429 beyond it
FAULTS = (0.01, 0.03)  # of requests that are refused for no reason
REFUSING: dict[str, dict[str, float]] = {
    **{f"room_of_{room}": {"room": room} for room in ROOMS},
    **{f"faults_{share}": {"faults": share} for share in FAULTS},
}


class Aimd:
    """One more for each round of answers, half at each refusal."""

    def __init__(self) -> None:
        self._limit = 16.0
        self._answers = 0
        self.windows = 0

    @property
    def limit(self) -> int:
        return int(self._limit)

    def finished(self, *, full: bool, **_: float) -> None:
        self._answers += 1
        if self._answers >= max(50, self.limit):  # as many as the other has in a window
            self._answers, self.windows = 0, self.windows + 1
        if full:
            self._limit = min(MOST, self._limit + 1 / self._limit)

    def overloaded(self, **_: float) -> None:
        self._limit = max(1.0, self._limit / 2)


def measure(size: Size) -> dict[str, float | str]:
    """Return the worst share of the best yield after thirty windows, and what others have."""
    seeds = SEEDS[size]
    shares = [
        statistics.mean(_settled(_ours(), server, seed)[0] for seed in seeds)
        for server in SERVERS.values()
    ]
    windows = [_settled(_ours(), server, seed)[1] for server in SERVERS.values() for seed in seeds]
    refused = {
        name: statistics.mean(_settled(_ours(), flat_from(200), seed, **how)[0] for seed in seeds)
        for name, how in REFUSING.items()
    }
    aimd = [_settled(Aimd(), server, 0)[0] for server in SERVERS.values()]
    fixed = {
        limit: min(server(limit, 0.0) / best_fixed(server, MOST) for server in SERVERS.values())
        for limit in FIXED
    }
    return {
        "worst_share_of_the_best": min(shares),
        "mean_share_of_the_best": statistics.mean(shares),
        "windows_to_0.95_at_most": float(max(windows)),
        "worst_share_where_some_are_refused": min(refused.values()),
        "worst_of_aimd": min(aimd),
        "worst_of_fixed_limits": ", ".join(
            f"{limit}: {share:.3f}" for limit, share in fixed.items()
        ),
    }


def _ours() -> Limiter:
    return Limiter(first=16, most=MOST)


def _settled(limiter: Any, tokens_a_second: Yield, seed: int, **how: Any) -> tuple[float, int]:
    """Return the share after thirty windows, and the windows until it is near (31: it never is)."""
    server = VirtualServer(limiter, tokens_a_second, seed=seed, **how)
    best = best_fixed(tokens_a_second, min(MOST, server.room))
    shares = [server.run(windows=1) / best for _ in range(WINDOWS + WINDOWS_STEADY)]
    near = (
        begin
        for begin in range(WINDOWS + 1)
        if statistics.mean(shares[begin : begin + WINDOWS_STEADY]) >= NEAR
    )
    return server.run(windows=WINDOWS_MEASURED) / best, next(near, WINDOWS + 1)
