"""A disk that is full for some processes: the kernel lets none of its files grow or be written.

Anybody may lower the limit of a process that is theirs and raise it again, so this works where
nothing can be mounted. Writes fail with EFBIG, and those of SQLite with its own I/O error.
"""

import resource
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

# Runs the command behind it on a full disk.
FULL_FROM_THE_START = [
    sys.executable,
    "-c",
    """import os, resource, sys
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
os.execv(sys.argv[1], sys.argv[1:])""",
]


@contextmanager
def full_disk(pids: Sequence[int], file_bytes_max: int = 0) -> Iterator[None]:
    """Let no file of the processes be written behind so many bytes, until the block ends."""
    before = {pid: resource.prlimit(pid, resource.RLIMIT_FSIZE) for pid in pids}
    for pid, (_, hard) in before.items():
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (file_bytes_max, hard))
    try:
        yield
    finally:
        for pid, limits in before.items():
            with suppress(ProcessLookupError):  # it may have ended
                resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)
