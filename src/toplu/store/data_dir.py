"""The folder that holds everything a server keeps, and the lock that makes one server its owner.

data/
  server.lock     held by the server that runs
  toplu.db        rows: projects, keys, files, uploads, jobs, shards
  search.db       passages of the documents that are searched
  blobs/          whole files: uploaded inputs, job inputs, indexes, outputs
  uploads/        files that are still arriving
  results/        the result log: one append-only file for each lease of a shard
"""

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

from toplu.errors import ConfigurationError


class DataDir:
    """The places inside the data folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.database = root / "toplu.db"
        self.search = root / "search.db"
        self.blobs = root / "blobs"
        self.uploads = root / "uploads"
        self.results = root / "results"

    def create(self) -> None:
        """Make the folders, readable by the owner alone."""
        try:
            self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
            for folder in (self.blobs, self.uploads, self.results):
                folder.mkdir(exist_ok=True, mode=0o700)
        except OSError as error:
            raise ConfigurationError(
                f"data_dir {self.root}: cannot be made: {error.strerror}"
            ) from error

    @contextlib.contextmanager
    def owned(self) -> Iterator[None]:
        """Be the one server of this folder; the lock goes with the process, however it ends."""
        with (self.root / "server.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ConfigurationError(
                    f"data_dir {self.root}: is owned by another server that is running"
                ) from None
            yield
