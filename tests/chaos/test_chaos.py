"""kill -9 of every process, again and again, under clients that go on working.

`make chaos` makes a hundred rounds of it; `--seed` repeats a storm's plan.
"""

import os
import random
import signal
import threading
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest

from support.chaos.client import Client
from support.chaos.repeats import check_repeats
from support.chaos.witness import Witness
from support.model_tables import echo_model, model_table
from support.server import Server, started_server
from toplu.settings.server import DEFAULT_EMBEDDER, DEFAULT_MODEL

pytestmark = [pytest.mark.model, pytest.mark.slow, pytest.mark.alone]

CONFIG = "".join(
    [
        echo_model(delay_seconds=0.02),
        model_table(
            DEFAULT_MODEL,
            aliases=["llama"],
            context_tokens=256,
            output_tokens_max=8,
            lanes=2,
            threads=1,
        ),
        model_table(DEFAULT_EMBEDDER, aliases=["minilm"], threads=1),
    ]
)
# After so many of one of these the kill comes; the log tells of them as they happen.
MOMENTS = {
    "job_created": 2,
    "job_planned": 2,
    "job_succeeded": 1,
    "shard_leased": 3,
    "request_started": 200,
    "request_finished": 200,
    "results_written": 8,
}
MOMENT_SECONDS = 3.0  # a moment that does not come is not waited for any longer
START_KILLED = 0.1  # the share of starts that are killed as well
# The shares of kills: of an engine, of one of the server's processes, and of all by the supervisor.
VICTIMS = {"engine": 0.3, "worker": 0.3, "api": 0.1, "supervisor": 0.3}


@pytest.mark.parametrize("workers", [1, 2])
def test_nothing_is_lost_and_nothing_twice(
    tmp_path: Path, request: pytest.FixtureRequest, workers: int
) -> None:
    rounds, seed = request.config.getoption("--rounds"), request.config.getoption("--seed")
    plan = random.Random(seed)
    witness, up = Witness(), threading.Event()
    kills: Counter[str] = Counter()
    settings = {"log_level": "debug", "workers": workers}
    with started_server(tmp_path, config=CONFIG, **settings) as server:
        up.set()
        client = Client(server, witness, up, seed)
        client.start()
        for _ in range(rounds):
            name, most = plan.choice(list(MOMENTS.items()))
            server.wait_for_more(name, plan.randint(1, most), MOMENT_SECONDS)
            (victim,) = plan.choices(list(VICTIMS), list(VICTIMS.values()))
            kills[victim] += 1
            if victim == "supervisor":
                up.clear()
                _kill_all(server, plan)
                up.set()
            else:
                _kill_one(server, plan, victim)
        client.stop()
        witness.check(server)
        repeated = check_repeats(server.log_lines)
        print(f"{rounds} rounds, {workers} workers, kills {dict(kills)}, {repeated} repeated")


def _kill_all(server: Server, plan: random.Random) -> None:
    """Kill the supervisor, with which all others end, and start another one."""
    server.kill()
    while plan.random() < START_KILLED:
        server.start(wait_until_ready=False)
        server.kill()
    server.start()


def _kill_one(server: Server, plan: random.Random, victim: str) -> None:
    """Kill a process, which comes back by itself."""
    pids = server.child_pids() if victim == "engine" else server.processes(victim)
    if pids:
        # It may have ended by itself in between.
        with suppress(ProcessLookupError):
            os.kill(plan.choice(pids), signal.SIGKILL)
