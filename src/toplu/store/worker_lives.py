"""The lives of workers on one machine: a file for each, locked as long as its process lives.

The kernel ends a lock with its process, however that ends: whoever finds a worker's file unlocked,
or gone, knows that the worker is dead.
"""

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from toplu.store.file_locks import try_lock


class WorkerLives:
    """The files, by the id of the worker, and the folders that end with it."""

    def __init__(self, folder: Path, prefixes: Path) -> None:
        self._folder = folder
        self._prefixes = prefixes

    @contextlib.contextmanager
    def hold(self, worker: str) -> Iterator[None]:
        """Live as the worker; at the end nothing is left of it."""
        with self.begin(worker):
            try:
                yield
            finally:
                self.forget(worker)

    def begin(self, worker: str) -> BinaryIO:
        """Begin the worker's life; it ends when the file is closed."""
        self._folder.mkdir(exist_ok=True)
        path = self._folder / worker
        while True:
            file = path.open("ab")
            # Whoever looks whether the worker lives holds it for a moment.
            fcntl.flock(file, fcntl.LOCK_EX)
            # They may have found it dead before it lived, and removed the file.
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_ino == os.fstat(file.fileno()).st_ino:
                    return file
            file.close()

    def lives(self, worker: str) -> bool:
        """Return whether the worker's process is there."""
        try:
            with (self._folder / worker).open("rb") as file:
                return not try_lock(file, fcntl.LOCK_SH)
        except FileNotFoundError:
            return False

    def known(self) -> set[str]:
        """Return the workers that left a file, dead ones included."""
        try:
            return {entry.name for entry in os.scandir(self._folder)}
        except FileNotFoundError:
            return set()

    def prefixes_of(self, worker: str) -> Path:
        """Return the folder of what the worker's engines computed of caches."""
        return self._prefixes / worker

    def forget(self, worker: str) -> None:
        """Remove what is left of a worker that is dead, or about to be."""
        shutil.rmtree(self.prefixes_of(worker), ignore_errors=True)
        (self._folder / worker).unlink(missing_ok=True)


def new_prefix_folder(folder: Path) -> Path:
    """Return the folder, empty and readable by the owner alone, for one life of an engine."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder.resolve()
