"""Puts a backup back, as a data folder that a server can be started on."""

import errno
from dataclasses import dataclass
from pathlib import Path

from toplu.backup.manifest import CopiedFile, copy_file, read_manifest, sync_all
from toplu.errors import ConfigurationError
from toplu.store.blobs.folders import remove_tree, sync_folder
from toplu.store.data_folder import DataFolder

UNFINISHED = ".unfinished"


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """A backup that was put back."""

    created: str  # when it was taken
    toplu: str  # the version that took it
    files: int
    size_bytes: int


def restore_backup(source: Path, root: Path) -> Restored:
    """Copy the backup to the data folder, which is empty or not there; its sums are checked.

    Blocking. ConfigurationError: it is not, or the backup is damaged or none. Nothing is left then.
    """
    header, entries = read_manifest(source)
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise ConfigurationError(
            f"data_dir {root}: is not empty; name one that is, or is not there, with --data-dir"
        )
    part = root.with_name(f".{root.name}{UNFINISHED}")
    try:
        _copy(source, entries, part)
        _adopt(part, root)
    except OSError as error:
        raise ConfigurationError(
            f"{error.filename or root}: cannot be restored: {error.strerror}"
        ) from error
    finally:
        remove_tree(part)
    return Restored(
        created=header.created,
        toplu=header.toplu,
        files=len(entries),
        size_bytes=sum(it.size_bytes for it in entries),
    )


def _copy(source: Path, entries: list[CopiedFile], part: Path) -> None:
    remove_tree(part)
    part.mkdir(mode=0o700, parents=True)
    for entry in entries:
        if copy_file(source / entry.path, part, entry.path) != entry:
            raise ConfigurationError(f"{source / entry.path}: is damaged: its sum is another one")
    data = DataFolder(part)
    for folder in (data.blobs, data.results, data.uploads):
        folder.mkdir(exist_ok=True)
    sync_all(part)


def _adopt(part: Path, root: Path) -> None:
    try:
        part.replace(root)
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise
        # The folder is a volume of its own, which nothing can take the place of.
        raise ConfigurationError(
            f"data_dir {root}: is a volume; name a folder on it with --data-dir"
        ) from error
    sync_folder(root.resolve().parent)
