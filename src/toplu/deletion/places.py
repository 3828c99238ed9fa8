"""The bytes that rows of a project named: measured, removed, and looked for again.

    job      results/ID, blobs/jobs/ID        blob     blobs/NAME
    upload   uploads/ID.part, blobs/files/ID  cache    prefixes/WORKER/…/ID, left to the worker

Where a bucket has the bytes, jobs and blobs are prefixes of it, and an upload is a blob from its
first byte on. Everything here blocks; callers run it in a thread.
"""

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from toplu.batch import paths
from toplu.files.parts.part import blob_of
from toplu.job import JobId
from toplu.store.blobs.blobs import UNFINISHED
from toplu.store.blobs.bucket import Bucket
from toplu.store.blobs.folders import remove_tree, sync_folder
from toplu.store.data_folder import DataFolder
from toplu.store.rows.deletions import Place

# Of each kind of place, the key of its object, which is also the prefix of its objects.
KEYS: dict[str, Callable[[str], str]] = {
    "job": lambda name: paths.folder(JobId(name)),
    "blob": lambda name: name,
    "upload": blob_of,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bytes:
    """Files that were found."""

    files: int = 0
    size_bytes: int = 0

    def __add__(self, other: "Bytes") -> "Bytes":
        return Bytes(files=self.files + other.files, size_bytes=self.size_bytes + other.size_bytes)


class Places:
    """The places in one data folder, and in a bucket beside it."""

    def __init__(self, data: DataFolder, bucket: Bucket | None = None) -> None:
        self._data = data
        self._bucket = bucket

    def measure(self, place: Place) -> Bytes:
        """Return what is there."""
        found = sum(map(_bytes_of, self._paths(place)), Bytes())
        if self._bucket is not None and place.kind in KEYS:
            files, size_bytes = self._bucket.measure(KEYS[place.kind](place.name))
            found += Bytes(files=files, size_bytes=size_bytes)
        return found

    def remove(self, place: Place) -> None:
        """Remove what is there, but what engines computed of a cache; idempotent."""
        if place.kind == "cache":
            return
        if self._bucket is not None:
            self._bucket.remove(KEYS[place.kind](place.name))
        for path in self._paths(place):
            if path.is_dir():
                remove_tree(path)
            else:
                path.unlink(missing_ok=True)

    def sync(self) -> None:
        """Make the removals durable."""
        data = self._data
        folders = (data.results, data.uploads, data.blobs / paths.JOBS, data.blobs / "files")
        for folder in folders:
            with contextlib.suppress(FileNotFoundError):
                sync_folder(folder)

    def unfinished(self) -> Bytes:
        """Return what is being written, of whatever project."""
        return _bytes_of(self._data.blobs / UNFINISHED)

    def has_backup(self) -> bool:
        """Return whether a backup is being taken, which holds files by second names."""
        return any(self._data.root.glob(".backup-*"))

    def _paths(self, place: Place) -> Iterable[Path]:
        data, name = self._data, place.name
        match place.kind:
            case "job":
                return data.results / name, data.blobs / paths.folder(JobId(name))
            case "blob":
                return (data.blobs / name,)
            case "upload":
                return data.uploads / f"{name}.part", data.blobs / blob_of(name)
            case _:
                return (Path(it.path) for it in _files_below(data.prefixes) if it.name == name)


def _bytes_of(path: Path) -> Bytes:
    """Return what the file has, or the folder."""
    if not path.is_dir():
        with contextlib.suppress(FileNotFoundError):
            return Bytes(files=1, size_bytes=path.stat().st_size)
        return Bytes()
    found = Bytes()
    for entry in _files_below(path):
        with contextlib.suppress(FileNotFoundError):
            found += Bytes(files=1, size_bytes=entry.stat().st_size)
    return found


def _files_below(folder: Path) -> Iterator[os.DirEntry[str]]:
    with contextlib.suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _files_below(Path(entry.path))
            else:
                yield entry
