"""The folder that holds everything a server keeps, and the lock of those that use it.

data/
  server.lock     held alone by a whole server, shared by processes that are parts of one
  workers/        a file for each worker, locked while it lives; see `store.worker_lives`
  replicas/       a file for each replica of a model, locked by its owner; see `store.replica_locks`
  page.key        signs the sessions of the page
  run/            sockets of the processes; see `serving.sockets.socket_folder`
  toplu.db        rows: projects, keys, files, uploads, jobs, shards
  webhooks.key    that secrets of webhooks are sealed with; see `toplu.webhooks.vault`
  search.db       passages of the documents that are searched
  blobs/          whole files: uploaded inputs, job inputs, indexes, outputs
  uploads/        files that are still arriving
  results/        the result log: one append-only file for each lease of a shard
  prefixes/       what each worker's engines computed of caches; emptied at its end
"""

import contextlib
import fcntl
import os
import secrets
import shutil
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from toplu.errors import ConfigurationError
from toplu.store.file_locks import try_lock
from toplu.store.key_files import write_first
from toplu.store.worker_lives import WorkerLives

LOCK = "server.lock"
PRIVATE_UMASK = 0o077
SECRET_BYTES = 32
ENDING_SECONDS = 3.0  # the processes of a server that was killed may take to be gone
LOOK_SECONDS = 0.02
OF_A_FILE_SYSTEM = frozenset({"lost+found"})  # the root of a volume has it


class DataFolder:
    """The places inside the data folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.database = root / "toplu.db"
        self.search = root / "search.db"
        self.webhook_key = root / "webhooks.key"
        self.blobs = root / "blobs"
        self.uploads = root / "uploads"
        self.results = root / "results"
        self.prefixes = root / "prefixes"
        self.replicas = root / "replicas"
        self.lives = WorkerLives(root / "workers", self.prefixes)

    def create(self) -> None:
        """Make the folders, and make all that is in them readable by the owner alone.

        From here on this process and its children write no file that others can read.
        """
        os.umask(PRIVATE_UMASK)
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            self._check_contents()
            for folder in (self.blobs, self.uploads, self.results):
                folder.mkdir(exist_ok=True)
            _make_private(self.root)
        except OSError as error:
            where = f": {error.filename}" if error.filename else ""
            raise ConfigurationError(
                f"data_dir {self.root}: cannot be used{where}: {error.strerror}; "
                "name another folder with --data-dir"
            ) from error

    def _check_contents(self) -> None:
        """Raise ConfigurationError if the folder is somebody else's: it has files, none of ours."""
        names = {path.name for path in self.root.iterdir() if not path.name.startswith(".")}
        names -= OF_A_FILE_SYSTEM
        ours = {self.database.name, self.search.name, LOCK, self.blobs.name}
        if names and not names & ours:
            raise ConfigurationError(
                f"data_dir {self.root}: has files in it and none of toplu's; "
                "name an empty folder, or one that is not there yet, with --data-dir"
            )

    def secret(self, name: str) -> bytes:
        """Return random bytes of that name, made the first time; every process gets the same."""
        path = self.root / name
        if not path.exists():
            write_first(path, secrets.token_bytes(SECRET_BYTES))
        return path.read_bytes()

    @contextlib.contextmanager
    def owned(self) -> Iterator[TextIO]:
        """Be the one server of this folder; the lock goes with the process, however it ends."""
        with self._locked(fcntl.LOCK_EX) as lock:
            shutil.rmtree(self.prefixes, ignore_errors=True)
            try:
                yield lock
            finally:
                shutil.rmtree(self.prefixes, ignore_errors=True)

    @contextlib.contextmanager
    def held_if_free(self) -> Iterator[bool]:
        """Say whether no server has the folder; if so none can begin meanwhile."""
        with (self.root / LOCK).open("a") as lock:
            yield try_lock(lock, fcntl.LOCK_EX)

    @contextlib.contextmanager
    def shared(self) -> Iterator[None]:
        """Be a part of the server of this folder, beside others that say the same."""
        with self._locked(fcntl.LOCK_SH):
            yield

    @contextlib.contextmanager
    def _locked(self, way: int) -> Iterator[TextIO]:
        # Opened for appending, which leaves the file as it is for those that share it.
        with (self.root / LOCK).open("a") as lock:
            deadline = time.monotonic() + ENDING_SECONDS
            while not try_lock(lock, way):
                if time.monotonic() > deadline:
                    raise ConfigurationError(
                        f"data_dir {self.root}: is owned by another server that is running"
                    )
                time.sleep(LOOK_SECONDS)
            yield lock


def _make_private(path: Path | os.DirEntry[str]) -> None:
    """Take the rights of group and others from the folder and all in it; links are left alone.

    Older versions wrote files that everybody on the machine could read.
    """
    # A server that runs may remove its files meanwhile.
    with contextlib.suppress(FileNotFoundError):
        mode = path.stat(follow_symlinks=False).st_mode
        if stat.S_ISLNK(mode):
            return
        if mode & PRIVATE_UMASK:
            Path(path).chmod(stat.S_IMODE(mode) & ~PRIVATE_UMASK)
        if stat.S_ISDIR(mode):
            with os.scandir(path) as entries:
                for entry in entries:
                    _make_private(entry)
