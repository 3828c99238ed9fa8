"""One deed on its way into a PostgreSQL database, however often it has to be tried."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from toplu.clock import elapsed
from toplu.store.rows.postgres_faults import Fault, Unanswered, kind_of, reason_of
from toplu.store.rows.server_clock import Told

COMMITTED = "committed"
IN_PROGRESS = "in progress"
END = """SELECT pg_current_xact_id_if_assigned()::text,
    extract(epoch FROM clock_timestamp())::double precision"""

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class _Asked(Generic[Result]):
    """A COMMIT that was not answered."""

    transaction: str
    result: Result
    reason: str


class Deed(Generic[Result]):
    """Tried from one thread at a time; once it is done it is not done again."""

    def __init__(
        self,
        engine: Engine,
        work: Callable[[Connection], Result],
        *,
        is_synced: bool = True,
        **options: Any,
    ) -> None:
        self._engine = engine
        self._work = work
        self._is_synced = is_synced
        self._options = options  # of the transaction
        self._asked: _Asked[Result] | None = None
        self.told: Told | None = None  # the server's time, by the last attempt that came to its end

    def attempt(self) -> Result:
        """Do it, or find it done; raises what the driver raises, or Unanswered."""
        if self._asked is not None and self._is_done(self._asked):
            return self._asked.result
        self._asked = None
        with self._engine.connect().execution_options(**self._options) as connection:
            with connection.begin() as transaction:
                if not self._is_synced:
                    connection.exec_driver_sql("SET LOCAL synchronous_commit = off")
                result = self._work(connection)
                asked = elapsed()
                name, time = connection.exec_driver_sql(END).one()
                self.told = Told(asked, time, elapsed())
                try:
                    transaction.commit()
                except DBAPIError as fault:
                    if name is None or kind_of(fault) is not Fault.AWAY:
                        raise
                    self._asked = _Asked(name, result, reason_of(fault))
                    raise Unanswered(self._asked.reason) from fault
            return result

    def _is_done(self, asked: _Asked[Result]) -> bool:
        """Return whether the transaction has happened; Unanswered: it is still not decided."""
        with self._engine.connect() as connection:
            query = "SELECT pg_xact_status(%s::xid8)"
            state = connection.exec_driver_sql(query, (asked.transaction,)).scalar()
        if state == IN_PROGRESS:
            raise Unanswered(asked.reason)
        return state == COMMITTED
