"""Looks at processes through /proc."""

import re
from contextlib import suppress
from pathlib import Path


def children_of(pid: int) -> list[int]:
    """Return the processes that a process has started; none if it has ended."""
    found = []
    with suppress(FileNotFoundError, ProcessLookupError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += [int(child) for child in (task / "children").read_text().split()]
    return found


def memory_peak_of(pid: int) -> int:
    """Return the largest resident set that a process has had, without its children."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found is not None, "the process has no memory"
    return int(found[1]) * 1024


def command_of(pid: int) -> list[str]:
    """Return the command line of a process; nothing if it has ended."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8").split("\0")[:-1]
    return []


def listening_ports_of(pid: int) -> list[int]:
    """Return the TCP ports at which a process listens."""
    own = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            own.add(str(link.readlink()))
    ports = []
    for name in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{name}").read_text(encoding="ascii").splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in own:
                ports.append(int(fields[1].rpartition(":")[2], 16))
    return ports


def memory_of_all(pid: int) -> int:
    """Return the bytes that a process and all below it have, what they share divided (PSS)."""
    total = sum(memory_of_all(child) for child in children_of(pid))
    with suppress(FileNotFoundError, ProcessLookupError):
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
        if (found := re.search(r"^Pss:\s+(\d+) kB", rollup, re.MULTILINE)) is not None:
            total += int(found[1]) * 1024
    return total
