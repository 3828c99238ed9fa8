"""The contract of what has the rows: SQLite for one machine, PostgreSQL for many.

Deeds are functions of a connection, each inside one transaction of its own. They are written once,
for both; `store.rows.sqlite` and `store.rows.postgres` say how they run beside each other.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection

from toplu.clock import Clock
from toplu.store.rows.migrating import SchemaOlder

__all__ = ["SchemaOlder"]

Result = TypeVar("Result")


class Database(ABC):
    """Runs deeds; each sees and leaves the rows as if it had been alone."""

    commits = 0  # of this process

    @property
    @abstractmethod
    def place(self) -> str:
        """The place of the rows, in words for an operator: nothing of it is secret."""

    @property
    @abstractmethod
    def clock(self) -> Clock:
        """The clock that leases and deadlines go by: one for all processes that have the rows."""

    @abstractmethod
    async def read(self, work: Callable[[Connection], Result]) -> Result:
        """Return what `work` returns; it sees one moment of the database and changes nothing."""

    @abstractmethod
    async def write(
        self,
        work: Callable[[Connection], Result],
        *,
        is_synced: bool = True,
        locks_rows: bool = False,
    ) -> Result:
        """Return what `work` returns, once it is durable; if it raises, nothing has changed.

        `work` may run several times, of which one counts. A caller that is cancelled leaves its
        transaction running to the end. Rows that cannot be had raise OSError, as files do. What is
        not synced survives the end of the process, but the machine's only once the next one is that
        is: it is for what can be found out again. With `locks_rows` the deed sees to others by
        itself: it locks what it goes by, or says again in each change what it went by.
        """

    @abstractmethod
    async def rewrite(self, size_bytes_max: int | None = None) -> bool:
        """Write the rows anew, so that nothing of removed ones is left in the file.

        False: the file is larger than that, or busy, or not ours to write.
        """

    @property
    @abstractmethod
    def traces(self) -> str:
        """Say in which places removed rows leave traces until they are written anew."""

    @abstractmethod
    async def copies_with(self, project: str) -> Sequence[Path]:
        """Return the copies made before upgrades that have anything of the project."""

    @abstractmethod
    async def close(self) -> None:
        """Finish what is running, and let go of the database."""
