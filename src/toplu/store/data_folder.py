"""The folder that holds everything a server keeps, and the lock that makes one server its owner.

data/
  server.lock     held by the server that runs
  toplu.db        rows: projects, keys, files, uploads, jobs, shards
  search.db       passages of the documents that are searched
  blobs/          whole files: uploaded inputs, job inputs, indexes, outputs
  uploads/        files that are still arriving
  results/        the result log: one append-only file for each lease of a shard
  prefixes/       what engines computed of caches; emptied at each start and at the end
"""

import contextlib
import fcntl
import shutil
from collections.abc import Iterator
from pathlib import Path

from toplu.errors import ConfigurationError


class DataFolder:
    """The places inside the data folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.database = root / "toplu.db"
        self.search = root / "search.db"
        self.blobs = root / "blobs"
        self.uploads = root / "uploads"
        self.results = root / "results"
        self.prefixes = root / "prefixes"

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
            shutil.rmtree(self.prefixes, ignore_errors=True)
            try:
                yield
            finally:
                shutil.rmtree(self.prefixes, ignore_errors=True)

    def new_prefix_folder(self, engine: str) -> Path:
        """Return an empty folder, readable by the owner alone, for one life of an engine."""
        folder = self.prefixes / engine
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, mode=0o700)
        return folder.resolve()
