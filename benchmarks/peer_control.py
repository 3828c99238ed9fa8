"""What it costs to get a request through, when the engine costs nothing, here and with the peers.

The peers ask an OpenAI-compatible server that answers at once and keep the answers in memory.
toplu's file batch on the echo engine writes every result down, survives a kill and puts the
results in order.
"""

from typing import Any

import control_plane
from peer_programs import run_peers

REQUESTS = {"script": 1000, "litellm": 300, "ray_data": 1000}
IN_FLIGHT = 32
RAY_ACTORS = 2


def measure() -> dict[str, Any]:
    """Return the rates of all, and toplu's over the best of the others."""
    with run_peers.started("instant_server.py", python=run_peers.PYTHON) as (address, _):
        rates = {}
        for name, count in REQUESTS.items():
            bodies = [
                {"messages": [{"role": "user", "content": f"line {number}"}], "max_tokens": 4}
                for number in range(count)
            ]
            match name:
                case "script":
                    figures = run_peers.run_script(address, bodies, in_flight=IN_FLIGHT)
                case "litellm":
                    figures = run_peers.run_litellm(address, bodies, in_flight=IN_FLIGHT)
                case _:
                    figures = run_peers.run_ray_data(address, bodies, concurrency=RAY_ACTORS)
            rates[name] = count / figures["seconds"]
    ours = control_plane.measure()
    return {
        "toplu_requests_per_second": ours["requests_per_second"],
        **{f"{name}_requests_per_second": rate for name, rate in rates.items()},
        "toplu_over_the_best_peer": ours["requests_per_second"] / max(rates.values()),
    }
