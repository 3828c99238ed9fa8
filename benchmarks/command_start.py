"""B18: the start of the command line, over that of the bare interpreter, interleaved."""

import statistics
import subprocess
import sys
import time
from pathlib import Path

from sizes import Size

ROUNDS = {Size.TINY: 3, Size.SELECTION: 11, Size.FULL: 31}
ARMS = {
    "bare": [sys.executable, "-c", "pass"],
    "help": [str(Path(sys.executable).with_name("toplu")), "--help"],
}


def measure(size: Size) -> dict[str, float]:
    """Return the median seconds of each arm, and their ratio."""
    seconds: dict[str, list[float]] = {name: [] for name in ARMS}
    for _ in range(ROUNDS[size]):
        for name, command in ARMS.items():
            begin = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            seconds[name].append(time.perf_counter() - begin)
    bare, shown = (statistics.median(seconds[name]) for name in ARMS)
    return {"bare_seconds": bare, "help_seconds": shown, "help_over_bare": shown / bare}
