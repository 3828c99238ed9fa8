"""Tells whether another process has committed, for the case that nobody said so.

SQLite counts the commits of all others for each connection (`PRAGMA data_version`), which costs
some microseconds to ask for and reads no page.
"""

import sqlite3

from toplu.store.rows.sqlite import SqliteDatabase


class Changes:
    """Looks from a connection of its own, so that commits of this process are seen as well."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database
        self._connection = sqlite3.connect(f"file:{database.path}?mode=ro", uri=True)
        self._seen = self._look()

    def seen_alone(self) -> bool:
        """Return whether others have committed since the last look, and this process has not.

        Where both have, nobody can tell: what this process did will have it look around anyway.
        """
        (version, commits), (version_before, commits_before) = self._look(), self._seen
        self._seen = version, commits
        return version != version_before and commits == commits_before

    def close(self) -> None:
        """Look no more."""
        self._connection.close()

    def _look(self) -> tuple[int, int]:
        (version,) = self._connection.execute("PRAGMA data_version").fetchone()
        return version, self._database.commits
