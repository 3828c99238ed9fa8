"""The data folder's content: the database, and the clock that wrote into it."""

import contextlib
import sqlite3
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

from toplu.clock import Clock
from toplu.doctor.check import Check, fault, fine, warning
from toplu.doctor.webhooks import check_webhooks
from toplu.errors import ConfigurationError
from toplu.settings.server import Settings
from toplu.store.data_folder import DataFolder
from toplu.store.rows.holdings import newest_update
from toplu.store.rows.migrating import SchemaOlder
from toplu.store.rows.server_clock import OFF
from toplu.wiring.storage import open_rows

AHEAD = timedelta(minutes=1)  # rows may be, of a clock that is not exact


async def check_stored(settings: Settings, clock: Clock) -> AsyncIterator[Check]:
    """Yield what is found, whether or not a server uses it; nothing of a folder without rows."""
    data = DataFolder(settings.data_dir)
    is_file = not settings.store.is_shared
    if is_file and not data.database.is_file():
        return
    if is_file and (damage := _damage_of(data)):
        mend = "stop the server; toplu restore a backup, or put back a copy beside it"
        yield fault("database", damage, mend)
        return
    try:
        database = await open_rows(data, settings.store, upgrades=False)
    except SchemaOlder:
        mend = "toplu migrate brings it up to date"
        if is_file:
            mend = "toplu serve brings it up to date, after a copy; so does toplu migrate"
        yield warning("database", "is of an older version", mend)
        return
    except ConfigurationError as error:
        mend = "use the version of toplu that wrote it, or a newer one"
        if not is_file:
            mend += "; see that PostgreSQL runs there, and what [store] names"
        yield fault("database", str(error), mend)
        return
    try:
        newest = await database.read(newest_update)
        webhooks = [check async for check in check_webhooks(settings, database)]
    finally:
        await database.close()
    ruling = clock if is_file else database.clock
    yield fine("database", f"{database.place} {'is whole' if is_file else 'answers'}")
    for check in webhooks:
        yield check
    yield _check_clock(newest, clock, ruling)


def _check_clock(newest: datetime | None, clock: Clock, ruling: Clock) -> Check:
    """Look at the machine's clock, beside that which rows go by and what was written last."""
    if newest is not None and newest > ruling.now() + AHEAD:
        return warning(
            "clock",
            f"a batch was changed at {newest:%Y-%m-%d %H:%M:%S} UTC, which is still to come",
            "set the clock; nothing expires or is waited for rightly until then",
        )
    if abs(off := clock.now() - ruling.now()) > OFF:
        return warning(
            "clock",
            f"is {off.total_seconds():+.0f} s off that of PostgreSQL, which all of a cluster go by",
            "set the clock; a bucket may refuse calls that are minutes off",
        )
    return fine("clock", "goes on from where the rows are")


def _damage_of(data: DataFolder) -> str:
    """Return what SQLite finds wrong; blocking, some seconds for each gigabyte."""
    try:
        with contextlib.closing(sqlite3.connect(data.database)) as connection:
            (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.DatabaseError as error:
        return str(error)
    return "" if found == "ok" else str(found)
