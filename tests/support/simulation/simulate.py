"""One history by its seed: `make simulate SEED=7` runs it again, step by step the same.

jobs come ─ time passes ─ faults strike ─ the server is killed ─ … ─ the sky clears ─ all ends
                 after each step everything is looked at, see `checkers`
"""

import argparse
import contextlib
import logging
import os
import sys
import tempfile
import traceback
from pathlib import Path

import structlog

from support.simulation.checkers import Violated
from support.simulation.history import History
from support.simulation.planted_bugs import BUGS, PLOTS
from support.simulation.plot import Plot

CHAIN = 0.2


def first_violation(
    seeds: range,
    bug: str | None = None,
    *,
    processes: int = 1,
    again: float = 0.0,
    told: bool = False,
) -> int | None:
    """Return the first seed whose history goes wrong, after saying how."""
    for seed in seeds:
        planted = BUGS[bug]() if bug else contextlib.nullcontext()
        with tempfile.TemporaryDirectory() as folder, planted:
            chain = 0.0 if bug or again else CHAIN
            usual = Plot(processes=processes, again=again, chain=chain, capped=0.3)
            plot = PLOTS.get(bug or "", usual)
            history = History(seed, Path(folder), plot, told)
            try:
                history.run()
            except Violated as violation:
                print(f"seed {seed}: {violation}\n  make simulate SEED={seed}")
                return seed
            except Exception:  # noqa: BLE001  # told with its seed
                print(f"seed {seed}:\n{traceback.format_exc()}  make simulate SEED={seed}")
                return seed
    return None


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, help="one history, told as it goes")
    parser.add_argument("--seeds", type=int, default=20, help="so many histories")
    parser.add_argument("--processes", type=int, default=1, help="that work on one data folder")
    parser.add_argument(
        "--again", type=float, default=0.0, help="how often batches are asked again"
    )
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--bug", choices=sorted(BUGS))
    parser.add_argument("--log", action="store_true", help="with the server's own log")
    given = parser.parse_args()
    level = logging.DEBUG if given.log else logging.CRITICAL
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(level))
    one = given.seed is not None
    seeds = (
        range(given.seed, given.seed + 1) if one else range(given.first, given.first + given.seeds)
    )
    violated = first_violation(
        seeds, given.bug, processes=given.processes, again=given.again, told=one
    )
    return 1 if violated is not None else 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    # What killed servers left must not come to life when the interpreter tidies up.
    os._exit(code)
