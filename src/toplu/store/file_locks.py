"""Locks on files, which the kernel ends with the process that has them."""

import fcntl
from typing import IO, Any


def try_lock(file: IO[Any], way: int = fcntl.LOCK_EX) -> bool:
    """Lock the open file in this way, without a wait; return whether it is locked."""
    try:
        fcntl.flock(file, way | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
