"""Folders of files: what makes the names in one durable, and what removes all of one. Blocking."""

import contextlib
import os
import shutil
from pathlib import Path


def sync_folder(folder: Path) -> None:
    """Make names that were added to the folder, or taken from it, durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_tree(folder: Path) -> None:
    """Remove the folder with all that is in it; idempotent."""
    while folder.exists():
        # Another process may remove it as well: what it took first is not found, and is gone.
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(folder)
