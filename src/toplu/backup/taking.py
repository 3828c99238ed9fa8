"""Takes a backup of a data folder, whether or not a server runs on it.

    hold files ──▶ copy rows ──▶ hold files again ──▶ copy what rows name ──▶ receipts ──▶ manifest

A file is there before a row names it, and goes only after no row does. So whatever the copied rows
name is among the files that were held before or after; what is not, because it came and went in
between, is found out, and the rows are copied once more.
"""

import asyncio
import contextlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import toplu
from toplu.backup.held_files import HeldFiles, held_files
from toplu.backup.manifest import CopiedFile, Header, copy_file, sum_of, sync_all, write_manifest
from toplu.batch import paths
from toplu.batch.lookup import Lookup
from toplu.batch.results.reader import ResultReader
from toplu.batch.results.receipt import Receipts
from toplu.clock import SystemClock, timestamp
from toplu.errors import ConfigurationError
from toplu.projects.audit_log import AuditLog
from toplu.settings.server import Settings
from toplu.store.blobs.folders import remove_tree, sync_folder
from toplu.store.data_folder import DataFolder
from toplu.store.rows.holdings import Holdings, holdings_of
from toplu.wiring.storage import Storage, open_storage

ATTEMPTS_MAX = 5
UNFINISHED = ".unfinished"
BUSY_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A backup that is whole."""

    batches: int
    files: int
    size_bytes: int
    receipts: int  # of batches that have ended
    unbalanced: list[str]  # batches whose receipts do not balance


async def take_backup(settings: Settings, target: Path) -> Taken:
    """Copy the data folder to the target, which appears when it is whole.

    ConfigurationError: the target is not empty, or the folder is none of toplu's.
    """
    if settings.bucket is not None:
        raise ConfigurationError(
            f"bucket: the bytes are in {settings.bucket.url}, which a backup of the data folder "
            "does not have: copy the bucket with its own tools, and the rows with their database's"
        )
    data = DataFolder(settings.data_dir)
    if settings.store.is_shared:
        raise ConfigurationError(
            "store: the rows are on PostgreSQL, whose own tools copy them (pg_dump, "
            "pg_basebackup); copy the files of the data folder after them"
        )
    if not data.database.is_file():
        raise ConfigurationError(f"data_dir {data.root}: has no database; name it with --data-dir")
    async with open_storage(data, None, upgrades=False):
        pass  # its rows are those of this version
    part = _part_of(target)
    try:
        with held_files(data) as held:
            holdings = await asyncio.to_thread(_copy_rows, data, held, part)
            copied = await asyncio.to_thread(_copy_bytes, held, holdings, part)
        receipts, unbalanced = await _check_receipts(settings, part, holdings)
        await asyncio.to_thread(_finish, part, copied, target)
    except OSError as error:
        where = error.filename or target
        raise ConfigurationError(f"{where}: cannot be copied: {error.strerror}") from error
    finally:
        remove_tree(part)
    return Taken(
        batches=len(holdings.jobs),
        files=len(holdings.blobs),
        size_bytes=sum(it.size_bytes for it in copied),
        receipts=receipts,
        unbalanced=unbalanced,
    )


def _part_of(target: Path) -> Path:
    """Return the folder in which the backup is made, empty; blocking."""
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise ConfigurationError(f"{target}: is there already; name a folder that is not, or empty")
    if not target.resolve().parent.is_dir():
        raise ConfigurationError(f"{target.resolve().parent}: there is no such folder")
    part = target.with_name(f".{target.name}{UNFINISHED}")
    remove_tree(part)
    part.mkdir(mode=0o700)
    return part


def _copy_rows(data: DataFolder, held: HeldFiles, part: Path) -> Holdings:
    """Copy the rows, and hold all bytes that they name."""
    held.hold()
    missing = None
    for _ in range(ATTEMPTS_MAX):
        for database in (data.database, data.search):
            _copy_database(database, part / database.name)
        held.hold()
        holdings = holdings_of(part / data.database.name)
        missing = next(_missing(held, holdings), None)
        if missing is None:
            return holdings
    raise ConfigurationError(f"data_dir {data.root}: has lost {missing}, which a row of it names")


def _copy_database(database: Path, copy: Path) -> None:
    copy.unlink(missing_ok=True)
    if not database.exists():
        return  # nothing was ever searched
    with contextlib.closing(sqlite3.connect(database, timeout=BUSY_SECONDS)) as connection:
        connection.execute("VACUUM INTO ?", (str(copy),))


def _missing(held: HeldFiles, holdings: Holdings) -> Iterator[str]:
    needed = [f"blobs/{blob}" for blob in holdings.blobs]
    needed += [f"blobs/{paths.input_lines(job)}" for job in holdings.unfinished]
    needed += [log for log, size_bytes in _logs(holdings) if size_bytes]
    return (path for path in needed if held.find(path) is None)


def _logs(holdings: Holdings) -> Iterator[tuple[str, int]]:
    """Yield the files of the result log, each with how much of it counts."""
    for it in holdings.segments:
        yield f"results/{it.job}/{it.shard}-{it.epoch}.log", it.committed_bytes


def _copy_bytes(held: HeldFiles, holdings: Holdings, part: Path) -> list[CopiedFile]:
    wanted: dict[str, int | None] = {f"blobs/{blob}": None for blob in holdings.blobs}
    for job in holdings.jobs:
        wanted |= dict.fromkeys(held.below(f"blobs/{paths.folder(job)}"))
    wanted |= dict.fromkeys(f"uploads/{upload}.part" for upload in holdings.uploads)
    wanted |= dict(_logs(holdings))
    copied = []
    for path, bytes_max in sorted(wanted.items()):
        # An upload that has just ended is a file, and its part is gone.
        if (source := held.find(path)) is not None:
            copied.append(copy_file(source, part, path, bytes_max=bytes_max))
    return copied


async def _check_receipts(
    settings: Settings, part: Path, holdings: Holdings
) -> tuple[int, list[str]]:
    """Count the outcomes of all batches that have ended again, in the copy."""
    async with open_storage(DataFolder(part), None, upgrades=False) as storage:
        receipts = _receipts(settings, storage)
        unbalanced = []
        for project, job_id in holdings.ended:
            job = await storage.jobs.find(project, job_id)
            assert job is not None, "its row was read a moment ago"
            if not (await receipts.write(job)).balances:
                unbalanced.append(f"batches/{job_id}")
    return len(holdings.ended), unbalanced


def _receipts(settings: Settings, storage: Storage) -> Receipts:
    audit = AuditLog(clock=SystemClock(), rows=storage.audit)
    lookup = Lookup(jobs=storage.jobs, blobs=storage.blobs, audit=audit)
    results = ResultReader(
        settings=settings,
        jobs=storage.jobs,
        blobs=storage.blobs,
        results=storage.results,
        lookup=lookup,
    )
    return Receipts(jobs=storage.jobs, ledger=storage.ledger, results=results)


def _finish(part: Path, copied: list[CopiedFile], target: Path) -> None:
    """Write the manifest and put the backup in its place."""
    data = DataFolder(part)
    databases = (it for it in (data.database, data.search) if it.exists())
    copied.extend(sum_of(part, database.name) for database in databases)
    for folder in (data.blobs, data.results, data.uploads):
        folder.mkdir(exist_ok=True)
    header = Header(toplu=toplu.__version__, created=timestamp(SystemClock().now()))
    manifest = write_manifest(part, header, copied)
    sync_all(part, manifest)
    part.replace(target)
    sync_folder(target.resolve().parent)
