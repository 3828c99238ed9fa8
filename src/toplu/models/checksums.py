"""Checks that a file is the one that the catalogue names."""

import asyncio
import functools
import hashlib
from pathlib import Path

from toplu.errors import ConfigurationError
from toplu.settings.server import ModelSettings

FILES_MAX = 1024


async def verify_all(path: Path, model: ModelSettings) -> None:
    """Raise ConfigurationError unless the file and its companions have their checksums.

    A model without a checksum accepts any file.
    """
    await _verify(path, model.sha256)
    for name, sha256 in model.companions.items():
        await _verify(path.with_name(name), sha256)


async def _verify(path: Path, sha256: str | None) -> None:
    if sha256 is None:
        return
    found = await asyncio.to_thread(digest_of, path)
    if found != sha256:
        raise ConfigurationError(
            f"{path}: SHA-256 is {found}, expected {sha256}: the file is damaged or another one"
        )


def digest_of(path: Path) -> str:
    """Return the SHA-256 of the file, which is read once while it stays as it is; blocking."""
    try:
        state = path.stat()
        return _digest_in_state(path, state.st_ino, state.st_size, state.st_mtime_ns)
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from error


@functools.lru_cache(FILES_MAX)
def _digest_in_state(path: Path, _inode: int, _size: int, _modified: int) -> str:
    """Return the digest of the file in this state: a large one takes a minute to read."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
