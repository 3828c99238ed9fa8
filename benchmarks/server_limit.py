"""How near the limit that is searched for comes to the best one (B7), in virtual time.

The product's own limiter asks servers whose yield grows to a knee and then stays, or falls to a
quarter of it. Peers have a fixed number of requests in flight. Nothing is timed.
"""

import statistics

from sizes import Size

from toplu.fleet.remote.limiter import Limiter
from unit.fleet.remote.virtual_server import (
    VirtualServer,
    Yield,
    best_fixed,
    flat_from,
    saturating,
    thrashing_from,
)

MOST = 256
WINDOWS = 30  # until it has to be near
WINDOWS_MEASURED = 60
FIXED = (8, 64, 256)
SEEDS = {Size.TINY: range(1), Size.SELECTION: range(5), Size.FULL: range(5)}
SERVERS: dict[str, Yield] = {
    **{f"flat_from_{knee}": flat_from(knee) for knee in (5, 12, 40, 100, 200)},
    **{f"thrashing_from_{knee}": thrashing_from(knee) for knee in (5, 12, 40, 100, 200)},
    "saturating": saturating(100),
}


def measure(size: Size) -> dict[str, float | str]:
    """Return the worst share of the best yield after thirty windows, and what fixed limits have."""
    shares = {
        name: statistics.mean(_share(server, seed) for seed in SEEDS[size])
        for name, server in SERVERS.items()
    }
    fixed = {
        limit: min(server(limit, 0.0) / best_fixed(server, MOST) for server in SERVERS.values())
        for limit in FIXED
    }
    return {
        "worst_share_of_the_best": min(shares.values()),
        "mean_share_of_the_best": statistics.mean(shares.values()),
        "worst_of_fixed_limits": ", ".join(
            f"{limit}: {share:.3f}" for limit, share in fixed.items()
        ),
    }


def _share(tokens_a_second: Yield, seed: int) -> float:
    server = VirtualServer(Limiter(first=16, most=MOST), tokens_a_second, seed=seed)
    server.run(windows=WINDOWS)
    return server.run(windows=WINDOWS_MEASURED) / best_fixed(tokens_a_second, MOST)
