"""kill -9 of every process, again and again, under clients that go on working.

`make chaos` makes a hundred rounds of it; `--seed` repeats a storm's plan.
"""

import os
import random
import signal
import threading
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
ENGINE_KILLED = 0.4  # the share of kills that are of an engine


def test_nothing_is_lost_and_nothing_twice(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    rounds, seed = request.config.getoption("--rounds"), request.config.getoption("--seed")
    plan = random.Random(seed)
    witness, up = Witness(), threading.Event()
    lives: list[list[str]] = []  # the log of each
    with started_server(tmp_path, config=CONFIG, log_level="debug") as server:
        up.set()
        client = Client(server, witness, up, seed)
        client.start()
        born = 0
        for _ in range(rounds):
            name, most = plan.choice(list(MOMENTS.items()))
            server.wait_for_more(name, plan.randint(1, most), MOMENT_SECONDS)
            if plan.random() < ENGINE_KILLED:
                _kill_an_engine(server, plan)
                continue
            up.clear()
            server.kill()
            lives.append(server.log_lines[born:])
            born = len(server.log_lines)
            while plan.random() < START_KILLED:
                server.start(wait_until_ready=False)
                server.kill()
                lives.append(server.log_lines[born:])
                born = len(server.log_lines)
            server.start()
            up.set()
        client.stop()
        witness.check(server)
        lives.append(server.log_lines[born:])
        repeated = check_repeats(lives)
        print(f"{rounds} rounds, {len(lives) - 1} kills of the server, {repeated} repeated")


def _kill_an_engine(server: Server, plan: random.Random) -> None:
    engines = server.child_pids()
    if engines:
        # It may have ended by itself in between.
        with suppress(ProcessLookupError):
            os.kill(plan.choice(engines), signal.SIGKILL)
