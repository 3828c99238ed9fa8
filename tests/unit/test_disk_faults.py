"""Errors of disks are told from those of programs."""

import errno
import sqlite3

import pytest

from toplu.disk_faults import StorageAway, is_disk_fault, of_sqlite


def of_code(code: int) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("as SQLite says it")
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    ("code", "number"),
    [
        (sqlite3.SQLITE_FULL, errno.ENOSPC),
        (sqlite3.SQLITE_IOERR, errno.EIO),
        (sqlite3.SQLITE_IOERR_WRITE, errno.EIO),
        (sqlite3.SQLITE_IOERR_SHMSIZE, errno.EIO),
        (sqlite3.SQLITE_CANTOPEN, errno.EIO),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, errno.EBUSY),
        (sqlite3.SQLITE_READONLY, errno.EROFS),
    ],
)
def test_a_fault_of_sqlite_has_the_number_of_the_operating_system(code: int, number: int) -> None:
    fault = of_sqlite(of_code(code))
    assert fault is not None
    assert fault.errno == number
    assert is_disk_fault(fault)


def test_a_database_that_is_away_is_such_a_fault() -> None:
    assert is_disk_fault(StorageAway())


@pytest.mark.parametrize(
    "error",
    [
        None,
        ValueError("no"),
        of_code(sqlite3.SQLITE_CONSTRAINT),
        of_code(sqlite3.SQLITE_ERROR),
        FileNotFoundError(errno.ENOENT, "No such file or directory"),
        ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"),
        OSError("without a number"),
    ],
)
def test_other_errors_are_none(error: BaseException | None) -> None:
    assert of_sqlite(error) is None
    assert not is_disk_fault(error)
