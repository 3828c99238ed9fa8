"""Measures how long the product's own lanes take for a job, in virtual time.

    stdin: {"lengths": [310, …], "lanes": 16, "known": true, "seed": 0}      stdout: seconds

The whole server runs; only the engine, the clock and the loop are simulated. Every lane writes as
fast as any other, whatever the others do. `known` says whether requests ask for no more tokens than
their answers have.
"""

import random
import tempfile
from collections.abc import Sequence
from pathlib import Path
from unittest import mock

from support.simulation import virtual_loop
from support.simulation.checkers import FINAL, rows_of_jobs
from support.simulation.faults import RooflineEngine, Weather
from support.simulation.own_process import answer, ask
from support.simulation.server_in_time import ServerInTime

TOKENS_PER_SECOND = 40.0
STEP_SECONDS = 1000.0
ALL_AT_ONCE_BYTES = 2**30
CALL_SECONDS = 0.002  # of a call to the disk or the database, at most: there are no faults here


class SteadyEngine(RooflineEngine):
    """Takes as long for a request as its answer is long."""

    def _seconds(self, text: str) -> float:
        return len(text.split()) / TOKENS_PER_SECOND


def tokens_of_lanes(lengths: Sequence[int], lanes: int, *, known: bool, seed: int = 0) -> float:
    """Return the time from the first request to the last answer, in tokens of one lane."""
    seconds: float = ask(__file__, lengths=list(lengths), lanes=lanes, known=known, seed=seed)
    return seconds * TOKENS_PER_SECOND


def _seconds(lengths: Sequence[int], lanes: int, *, known: bool, seed: int) -> float:
    chance = random.Random(seed)
    requests = [_request(chance, length, known=known) for length in lengths]
    with tempfile.TemporaryDirectory() as folder:
        server = ServerInTime(
            Path(folder),
            chance,
            Weather(chance=chance),
            SteadyEngine,
            lanes=lanes,
            whole_bytes=ALL_AT_ONCE_BYTES,
        )
        with (
            server.simulated(),
            mock.patch.object(virtual_loop, "CALL_SECONDS_MAX", CALL_SECONDS),
        ):
            server.begin_life()

            async def create() -> None:
                api = await server.api("one")
                await api.create({"requests": {"requests": requests}})

            server.pass_time(0.0, create)
            while rows_of_jobs(server.data)[0]["state"] not in FINAL:
                server.pass_time(STEP_SECONDS)
            (job,) = rows_of_jobs(server.data)
            assert job["succeeded"] == len(lengths), "every request has its answer"
            server.kill()
    return server.executions.last_end - server.executions.first_start


def _request(chance: random.Random, length: int, *, known: bool) -> dict[str, object]:
    # Requests run in the order of their texts: the first word makes that one of no meaning.
    text = " ".join([f"{chance.random():.9f}", *["word"] * (length - 1)])
    request: dict[str, object] = {"contents": [{"role": "user", "parts": [{"text": text}]}]}
    if known:
        request["generationConfig"] = {"maxOutputTokens": length}
    return {"request": request}


if __name__ == "__main__":
    answer(_seconds)
