"""The owners of replicas, where no supervisor deals them out: a locked file for each replica."""

import contextlib
import fcntl
from pathlib import Path
from typing import Self
from urllib.parse import quote


class ReplicaLocks(contextlib.ExitStack):
    """The replicas that this process owns; the kernel ends the locks with it."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def take(self, model: str, replicas: int) -> int | None:
        """Return the number of a replica that is ours from here on, or None if all have owners."""
        self._folder.mkdir(exist_ok=True)
        for number in range(replicas):
            file = (self._folder / f"{quote(model, safe='')}.{number}").open("a")
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.close()
                continue
            self.enter_context(file)
            return number
        return None

    def __enter__(self) -> Self:
        return self
