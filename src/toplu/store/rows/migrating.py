"""Brings the tables of a database up to the present schema, in the transaction of the caller."""

import importlib.resources
from collections.abc import Callable, Sequence

from sqlalchemy import Connection

from toplu.errors import ConfigurationError

AsIs = Callable[[str], None]
MIGRATIONS = importlib.resources.files("toplu.store.rows") / "migrations"
SCHEMA_DIGITS = 4


class SchemaOlder(ConfigurationError):
    """The tables are those of an older version, and others may be using them."""


def bring_up_to_date(
    connection: Connection,
    place: str,
    revision: str = "head",
    *,
    upgrades: bool = True,
    before: AsIs = lambda _: None,
) -> None:
    """Bring the tables up to a revision; `before` is called with the schema of what is changed.

    ConfigurationError: a newer version wrote them. SchemaOlder: they are not up to date, and
    `upgrades` does not allow it.
    """
    present, known = _present(connection), known_schemas()
    if present == known[-1]:
        return
    if present is not None and present not in known:
        raise ConfigurationError(
            f"{place}: written by a newer version of toplu (schema {present}); "
            "upgrade toplu to open it"
        )
    if not upgrades:
        raise SchemaOlder(
            f"{place}: written by an older version of toplu (schema {present or 'none'}); "
            "end what uses it and run `toplu migrate`, which brings it up to date"
        )
    if present is not None:
        before(present)
    upgrade(connection, revision)


def known_schemas() -> Sequence[str]:
    """Return every schema there has been, in order: the names of migrations begin with theirs."""
    scripts = (MIGRATIONS / "versions").iterdir()
    return sorted(script.name[:SCHEMA_DIGITS] for script in scripts if script.name.endswith(".py"))


def _present(connection: Connection) -> str | None:
    if not connection.dialect.has_table(connection, "alembic_version"):
        return None
    found = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    return None if found is None else str(found)


def upgrade(connection: Connection, revision: str) -> None:
    """Run the migrations up to a revision."""
    # A process that finds the tables as they should be does without Alembic: it takes long to load.
    from alembic import command
    from alembic.config import Config

    config = Config()
    # Alembic reads a percent sign in an option as the start of a placeholder.
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)
