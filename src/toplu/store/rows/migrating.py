"""Brings the tables of a database up to the present schema, in the transaction of the caller."""

import importlib.resources
from collections.abc import Callable, Sequence

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from toplu.errors import ConfigurationError

AsIs = Callable[[str], None]


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
    config = Config()
    scripts_folder = importlib.resources.files("toplu.store.rows") / "migrations"
    # Alembic reads a percent sign in an option as the start of a placeholder.
    config.set_main_option("script_location", str(scripts_folder).replace("%", "%%"))
    scripts = ScriptDirectory.from_config(config)
    known = {script.revision for script in scripts.walk_revisions()}
    present = set(MigrationContext.configure(connection).get_current_heads())
    if not present <= known:
        raise ConfigurationError(
            f"{place}: written by a newer version of toplu "
            f"(schema {_named(sorted(present - known))}); upgrade toplu to open it"
        )
    if present == set(scripts.get_heads()):
        return
    if not upgrades:
        raise SchemaOlder(
            f"{place}: written by an older version of toplu (schema {_named(sorted(present))}); "
            "end what uses it and run `toplu migrate`, which brings it up to date"
        )
    if present:
        before("-".join(sorted(present)))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def _named(schemas: Sequence[str]) -> str:
    return ", ".join(schemas) or "none"
