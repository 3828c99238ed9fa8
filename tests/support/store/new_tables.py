"""New databases of tests get their tables at once: what all migrations make is found out once."""

from collections.abc import Callable

from sqlalchemy import Connection

Upgrade = Callable[[Connection, str], None]


class NewTables:
    """Does the work of all migrations for a new SQLite database, but for the first one."""

    def __init__(self, upgrade: Upgrade) -> None:
        self._upgrade = upgrade
        self._statements: list[str] = []

    def __call__(self, connection: Connection, revision: str) -> None:
        is_new = not connection.dialect.has_table(connection, "alembic_version")
        if not (is_new and connection.dialect.name == "sqlite" and revision == "head"):
            self._upgrade(connection, revision)
            return
        if self._statements:
            for statement in self._statements:
                connection.exec_driver_sql(statement).close()
            return
        self._upgrade(connection, revision)
        written = connection.connection.dbapi_connection
        assert written is not None
        # The first and the last one begin and end a transaction; this is a part of one.
        self._statements = list(written.iterdump())[1:-1]
