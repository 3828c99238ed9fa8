"""The faults between us and a PostgreSQL server, and what may be done about each."""

import errno
import os
from enum import Enum, auto

from sqlalchemy.exc import DBAPIError

from toplu.disk_faults import StorageAway
from toplu.errors import InvalidArgument
from toplu.store.rows.locks import Collision

# See PostgreSQL's table of error codes; one of fewer than five characters is a whole class.
COLLISIONS = ("40001", "40P01", "23503", "23505", "55P03")
AWAY = ("08", "57P", "53300", "53200")
FULL = "53100"
NUL = "cannot contain NUL"


class Unanswered(Exception):
    """The server went away before it said whether a deed is done."""


Trouble = DBAPIError | Collision | Unanswered


class Fault(Enum):
    """The kind of a fault."""

    COLLISION = auto()  # another deed was first, or may have been: the same again may succeed
    AWAY = auto()  # there is no server, or none that takes what is written
    OTHER = auto()


def kind_of(error: Trouble) -> Fault:
    """Return what kind of fault it is."""
    if isinstance(error, Collision):
        return Fault.COLLISION
    if isinstance(error, Unanswered):
        return Fault.AWAY
    code = _code_of(error)
    if code.startswith(COLLISIONS):
        return Fault.COLLISION
    # Without a statement it was a connection that could not be made.
    if error.connection_invalidated or code.startswith(AWAY) or not (code or error.statement):
        return Fault.AWAY
    return Fault.OTHER


def error_of(error: Trouble) -> Exception:
    """Return what a caller is to be told of a fault that stays."""
    kind = kind_of(error)
    if kind is Fault.AWAY:
        return StorageAway()
    code = _code_of(error) if isinstance(error, DBAPIError) else ""
    if code == FULL:
        return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    if kind is Fault.COLLISION and not code.startswith("23"):
        return OSError(errno.EBUSY, os.strerror(errno.EBUSY))
    if isinstance(error, DBAPIError) and NUL in str(error.orig):
        return InvalidArgument("A text has the character U+0000, which cannot be stored.")
    return error


def reason_of(error: BaseException) -> str:
    """Return the driver's words on one line; they have no password, and no row."""
    words = error.orig if isinstance(error, DBAPIError) else error
    return " ".join(str(words).split())


def _code_of(error: DBAPIError) -> str:
    return getattr(error.orig, "sqlstate", None) or ""
