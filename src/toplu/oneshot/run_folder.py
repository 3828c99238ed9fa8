"""The folder of a run that is not done: its name follows from what is asked of what.

    .answers.csv.toplu/          beside the output
      3f2a…/                     of one input with one set of options
        run.json                 the name of the batch
        server/                  the data folder of the private server, with all answers so far
        log                      what that server had to say

The same command finds the same folder and goes on in it. It goes when the output is written.
"""

import contextlib
import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec

from toplu.clock import random_id
from toplu.errors import ConfigurationError
from toplu.oneshot.options import RunOptions
from toplu.store.file_locks import try_lock

VERSION = 1  # of all that decides what a line asks; another version begins again
NAME_LENGTH = 16
BATCH_LENGTH = 20
CHUNK_BYTES = 1024 * 1024


class _Note(msgspec.Struct):
    batch: str


class InputMark:
    """The input as it was when the run began."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stat = self._look()
        digest = hashlib.sha256()
        try:
            with path.open("rb") as file:
                while chunk := file.read(CHUNK_BYTES):
                    digest.update(chunk)
        except OSError as error:
            raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from error
        self.sha256 = digest.hexdigest()

    def check(self) -> None:
        """Raise ConfigurationError if the file has changed since."""
        if self._look() != self._stat:
            raise ConfigurationError(
                f"{self._path}: has changed since the run began, so its answers fit no more; "
                "start the same command again for the file as it is now"
            )

    def _look(self) -> tuple[int, int, int]:
        try:
            found = self._path.stat()
        except OSError as error:
            raise ConfigurationError(f"{self._path}: cannot be read: {error.strerror}") from error
        return found.st_ino, found.st_size, found.st_mtime_ns


class RunFolder:
    """One run's own place, held by one process at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.server = path / "server"
        self.log = path / "log"
        self._note = path / "run.json"

    @property
    def batch(self) -> str | None:
        """The display name of the run's batch, which no other has; None: there is no batch yet."""
        try:
            return msgspec.json.decode(self._note.read_bytes(), type=_Note).batch
        except (FileNotFoundError, msgspec.DecodeError):
            return None

    def name_batch(self) -> str:
        """Return the display name of the batch that is about to be made."""
        note = _Note(f"toplu run {random_id(BATCH_LENGTH)}")
        part = self._note.with_suffix(".part")
        part.write_bytes(msgspec.json.encode(note))
        part.replace(self._note)
        return note.batch

    def remove(self) -> None:
        """Remove all of it, and the folder around it if no other run is in that."""
        shutil.rmtree(self.path, ignore_errors=True)
        with contextlib.suppress(OSError):
            self.path.parent.rmdir()


def name_of(options: RunOptions, mark: InputMark, model: bytes, schema: bytes | None) -> str:
    """Return the name of the run; `model` is all that is set of the model."""
    asked = [
        VERSION,
        mark.sha256,
        options.source.suffix.lower(),
        options.prompt,
        options.system,
        schema,
        options.embed,
        options.image,
        options.limit,
        options.temperature,
        options.seed,
        options.max_tokens,
        options.server,
        model,
    ]
    return hashlib.sha256(msgspec.json.encode(asked)).hexdigest()[:NAME_LENGTH]


@contextlib.contextmanager
def hold(around: Path, name: str) -> Iterator[RunFolder]:
    """Yield the folder, made if it is not there; ConfigurationError if another process has it."""
    path = around / name
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = (path / "lock").open("a")
    except OSError as error:
        raise ConfigurationError(
            f"{path}: cannot be used: {error.strerror}; name another folder with --run-dir"
        ) from error
    with lock:
        if not try_lock(lock):
            raise ConfigurationError(f"{path}: another process is at the same run")
        yield RunFolder(path)
