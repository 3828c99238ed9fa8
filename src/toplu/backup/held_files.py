"""Second names for all files of a data folder, so that nothing which a server removes is gone.

A name costs no bytes. They lie in the data folder, because a second name is on the same disk, and
go at the end; those of a backup that was killed go at the next one.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from toplu.clock import random_id
from toplu.store.blobs.blobs import UNFINISHED
from toplu.store.blobs.folders import remove_tree
from toplu.store.data_folder import DataFolder
from toplu.store.file_locks import try_lock

PREFIX = ".backup-"
LOCK = "lock"
ID_LENGTH = 12


class HeldFiles:
    """The files by their paths below the data folder."""

    def __init__(self, data: DataFolder, folder: Path) -> None:
        self._data = data
        self._folder = folder

    def hold(self) -> None:
        """Give a second name to each file that has none yet."""
        for kind in (self._data.blobs, self._data.uploads, self._data.results):
            with contextlib.suppress(FileNotFoundError):
                self._hold(kind)

    def find(self, path: str) -> Path | None:
        """Return a file that is held, by its path below the data folder."""
        found = self._folder / path
        return found if found.is_file() else None

    def below(self, folder: str) -> list[str]:
        """Return the paths of the files that are held in a folder, and in the folders in it."""
        root = self._folder / folder
        return sorted(
            str(path.relative_to(self._folder)) for path in root.rglob("*") if path.is_file()
        )

    def _hold(self, folder: Path) -> None:
        target = self._folder / folder.relative_to(self._data.root)
        target.mkdir(exist_ok=True)
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name == UNFINISHED:
                    continue
                # What goes at this moment was not named any more, or is looked for again.
                with contextlib.suppress(FileNotFoundError, FileExistsError):
                    if entry.is_dir(follow_symlinks=False):
                        self._hold(Path(entry.path))
                    else:
                        os.link(entry.path, target / entry.name)


@contextlib.contextmanager
def held_files(data: DataFolder) -> Iterator[HeldFiles]:
    """Yield a place for second names; it goes at the end, however that comes."""
    _remove_left_behind(data.root)
    folder = data.root / f"{PREFIX}{random_id(ID_LENGTH)}"
    folder.mkdir(mode=0o700)
    with (folder / LOCK).open("a") as lock:
        try_lock(lock)
        try:
            yield HeldFiles(data, folder)
        finally:
            remove_tree(folder)


def _remove_left_behind(root: Path) -> None:
    for folder in root.glob(f"{PREFIX}*"):
        with contextlib.suppress(FileNotFoundError), (folder / LOCK).open("a") as lock:
            if try_lock(lock):
                remove_tree(folder)
