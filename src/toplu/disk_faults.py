"""A disk that is full or broken fails with these errors, in files and in SQLite alike.

They are no bugs, and pass when there is space again: a call is answered with 503, work waits. So it
is with a database on another machine that is away.
"""

import errno
import os
import sqlite3
from typing import TypeGuard

ERRNOS = frozenset(
    {
        errno.ENOSPC,
        errno.EDQUOT,
        errno.EFBIG,  # a limit of the process or of the file system
        errno.EIO,
        errno.EROFS,  # file systems become read-only when they break
        errno.EBUSY,  # SQLite's file, which another process writes to
    }
)
OF_SQLITE = {
    sqlite3.SQLITE_FULL: errno.ENOSPC,
    sqlite3.SQLITE_IOERR: errno.EIO,
    sqlite3.SQLITE_CANTOPEN: errno.EIO,
    sqlite3.SQLITE_BUSY: errno.EBUSY,
    sqlite3.SQLITE_READONLY: errno.EROFS,
}
PRIMARY_CODE = 0xFF  # of SQLite's extended result codes


class StorageAway(OSError):
    """The database does not answer: it starts anew, or the network is broken."""

    def __init__(self) -> None:
        super().__init__(errno.EHOSTUNREACH, "the database does not answer")


def is_disk_fault(error: BaseException | None) -> TypeGuard[OSError]:
    """Return whether the error says that a disk cannot be used at the moment."""
    return isinstance(error, StorageAway) or (isinstance(error, OSError) and error.errno in ERRNOS)


def of_sqlite(error: BaseException | None) -> OSError | None:
    """Return what the operating system calls a fault that SQLite met; None: it is another error."""
    code = getattr(error, "sqlite_errorcode", None)
    number = None if code is None else OF_SQLITE.get(code & PRIMARY_CODE)
    return None if number is None else OSError(number, os.strerror(number))
