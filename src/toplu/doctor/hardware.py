"""The hardware that models would run on. Blocking."""

import os
import shutil
import subprocess
from dataclasses import dataclass

from toplu.settings.bounds import GIB

ASK_SECONDS = 10.0
FIELDS = "name,memory.total"
MIB_OF_A_GIB = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardware:
    """Cores, memory and graphics cards."""

    cores: int
    memory_gib: float
    graphics: list[str]  # each with its name and memory


def look_at_hardware() -> Hardware:
    """Return what this process may use."""
    pages, page_bytes = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return Hardware(cores=_cores(), memory_gib=pages * page_bytes / GIB, graphics=_graphics_cards())


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _graphics_cards() -> list[str]:
    """Return NVIDIA's cards, as its own program lists them."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    try:
        listed = subprocess.run(  # noqa: S603  # the driver's own program
            [program, f"--query-gpu={FIELDS}", "--format=csv,noheader,nounits"],
            capture_output=True,
            check=True,
            text=True,
            timeout=ASK_SECONDS,
        )
    except (OSError, subprocess.SubprocessError):
        return []
    cards = []
    for line in listed.stdout.splitlines():
        name, _, mib = line.rpartition(",")
        if mib.strip().isdecimal():
            cards.append(f"{name.strip()}, {int(mib) / MIB_OF_A_GIB:.0f} GiB")
    return cards
