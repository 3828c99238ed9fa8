"""The manifest of a backup: every file that it has, with its size and sum; written last.

    header ── version, schema, time │ one line for each file │ end ── how many they are

A backup without a whole manifest is none.
"""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec

from toplu.errors import ConfigurationError
from toplu.store.blobs.folders import sync_folder

NAME = "manifest.jsonl"
FORMAT = 1
PIECE_BYTES = 1024 * 1024


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """The first line."""

    format: int = FORMAT
    toplu: str  # the version that wrote it
    created: str


class CopiedFile(msgspec.Struct, frozen=True, kw_only=True):
    """One file, by its path below the backup."""

    path: str
    size_bytes: int
    sha256: str


class _End(msgspec.Struct, frozen=True, kw_only=True):
    files: int


def write_manifest(folder: Path, header: Header, files: list[CopiedFile]) -> Path:
    """Write the manifest of the folder."""
    path = folder / NAME
    lines = [header, *sorted(files, key=lambda it: it.path), _End(files=len(files))]
    path.write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
    return path


def read_manifest(folder: Path) -> tuple[Header, list[CopiedFile]]:
    """Return the manifest of a backup, or raise ConfigurationError that says why it is none."""
    try:
        first, *files, last = (folder / NAME).read_bytes().splitlines()
        header = msgspec.json.decode(first, type=Header)
        entries = [msgspec.json.decode(line, type=CopiedFile) for line in files]
        end = msgspec.json.decode(last, type=_End)
    except FileNotFoundError:
        raise ConfigurationError(f"{folder}: is no backup: it has no {NAME}") from None
    except (ValueError, msgspec.DecodeError) as error:
        raise ConfigurationError(f"{folder}: its {NAME} is damaged: {error}") from error
    if header.format != FORMAT:
        raise ConfigurationError(f"{folder}: was written by toplu {header.toplu}, in another form")
    if end.files != len(entries) or not all(map(_is_inside, entries)):
        raise ConfigurationError(f"{folder}: its {NAME} is damaged")
    return header, entries


def copy_file(source: Path, target: Path, path: str, *, bytes_max: int | None = None) -> CopiedFile:
    """Copy a file, or the beginning of it, to the path below `target`; it is durable after."""
    written = target / path
    written.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    size_bytes = 0
    with source.open("rb") as read, written.open("xb") as file:
        for piece in _pieces(read, bytes_max):
            digest.update(piece)
            file.write(piece)
            size_bytes += len(piece)
        os.fsync(file.fileno())
    return CopiedFile(path=path, size_bytes=size_bytes, sha256=digest.hexdigest())


def sum_of(folder: Path, path: str) -> CopiedFile:
    """Return what a file that is there already is."""
    digest = hashlib.sha256()
    with (folder / path).open("rb") as file:
        for piece in _pieces(file, None):
            digest.update(piece)
        os.fsync(file.fileno())
    size_bytes = (folder / path).stat().st_size
    return CopiedFile(path=path, size_bytes=size_bytes, sha256=digest.hexdigest())


def sync_all(folder: Path, *files: Path) -> None:
    """Make these files durable, and the names of all files in the folder and below it."""
    for file in files:
        with file.open("rb") as opened:
            os.fsync(opened.fileno())
    for parent, _, _ in os.walk(folder):
        sync_folder(Path(parent))


def _pieces(file: BinaryIO, bytes_max: int | None) -> Iterator[bytes]:
    left = bytes_max
    while left is None or left > 0:
        piece = file.read(PIECE_BYTES if left is None else min(PIECE_BYTES, left))
        if not piece:
            return
        if left is not None:
            left -= len(piece)
        yield piece


def _is_inside(entry: CopiedFile) -> bool:
    parts = Path(entry.path).parts
    return bool(parts) and parts[0] != "/" and ".." not in parts
