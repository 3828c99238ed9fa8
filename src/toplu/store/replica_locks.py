"""The owners of replicas, where no supervisor deals them out: a locked file for each replica."""

import contextlib
from pathlib import Path
from typing import Self
from urllib.parse import quote

from toplu.store.file_locks import try_lock


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
            if try_lock(file):
                self.enter_context(file)
                return number
            file.close()
        return None

    def __enter__(self) -> Self:
        return self
