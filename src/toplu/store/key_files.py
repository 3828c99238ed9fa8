"""Files that hold keys: for their owner alone, whole at once, and durable. Blocking."""

import os
from pathlib import Path

from toplu.clock import random_id
from toplu.store.blobs.folders import sync_folder

OWNER_ALONE = 0o600
ID_LENGTH = 8


def write_first(path: Path, content: bytes) -> None:
    """Write the file, unless another process has just done so."""
    written = _write_beside(path, content)
    try:
        os.link(written, path)
    except FileExistsError:
        pass
    finally:
        written.unlink()
    sync_folder(path.parent)


def replace(path: Path, content: bytes) -> None:
    """Write the file, whether or not it is there."""
    _write_beside(path, content).replace(path)
    sync_folder(path.parent)


def _write_beside(path: Path, content: bytes) -> Path:
    """Return a durable file of the content beside the one that it is for."""
    beside = path.with_name(f".{path.name}.{random_id(ID_LENGTH)}")
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ALONE)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return beside
