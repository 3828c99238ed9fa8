"""The index of passages that `toplu search` fills: one SQLite file of its own, with FTS5.

It has nothing to do with the rows of jobs: it can be deleted and made again from the documents.
"""

import asyncio
import contextlib
import re
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from toplu.errors import ConfigurationError, Unavailable

VERSION = 1
BUSY_SECONDS = 30.0
WORD = re.compile(r"\w+")
WORDS_MAX = 64  # of a query
STEPS_BETWEEN_LOOKS = 10_000  # of SQLite, until it looks whether the search was cancelled
TITLE_WEIGHT = 2.0
PASSAGES_PER_DOCUMENT = 4  # looked through, to find as many documents as are asked for

T = TypeVar("T")

TABLES = """
CREATE TABLE collections (
    name TEXT PRIMARY KEY, path TEXT NOT NULL, documents INTEGER NOT NULL, added TEXT NOT NULL
);
CREATE VIRTUAL TABLE passages USING fts5(
    title, text, uri UNINDEXED, collection UNINDEXED,
    tokenize = 'porter unicode61 remove_diacritics 2'
);
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """Some lines of a document, small enough to be quoted whole."""

    title: str
    uri: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """A folder of documents, as it was when it was added."""

    name: str
    path: str
    documents: int
    added: str  # RFC 3339


class SearchIndex:
    """The file; all but `find` block, and any may be called while another process writes."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def put(self, collection: Collection, documents: Iterable[list[Passage]]) -> Collection:
        """Replace what the collection had, at once or not at all; return it counted."""
        with self._transaction() as connection:
            _remove(connection, collection.name)
            count = 0
            for count, passages in enumerate(documents, start=1):  # noqa: B007  # the last count
                connection.executemany(
                    "INSERT INTO passages (title, text, uri, collection) VALUES (?, ?, ?, ?)",
                    [(each.title, each.text, each.uri, collection.name) for each in passages],
                )
            connection.execute(
                "INSERT INTO collections VALUES (?, ?, ?, ?)",
                (collection.name, collection.path, count, collection.added),
            )
        return Collection(
            name=collection.name, path=collection.path, documents=count, added=collection.added
        )

    def remove(self, name: str) -> bool:
        """Forget a collection; return whether there was one."""
        with self._transaction() as connection:
            return _remove(connection, name)

    def collections(self) -> list[Collection]:
        """Return what has been added, by name; nothing if the file was never made."""
        if not self._path.exists():
            return []
        with contextlib.closing(self._connect()) as connection:
            rows = connection.execute(
                "SELECT name, path, documents, added FROM collections ORDER BY name"
            )
            return [
                Collection(name=name, path=path, documents=documents, added=added)
                for name, path, documents, added in rows
            ]

    def exist(self) -> bool:
        """Return whether there is anything to find; an index that is broken may have something."""
        try:
            return bool(self.collections())
        except (sqlite3.Error, ConfigurationError):
            return True

    async def find(self, words: Sequence[str], count: int) -> list[Passage]:
        """Return the best passage of each of the `count` documents that match best (BM25).

        A cancelled search stops. An index that cannot be read is Unavailable.
        """
        try:
            connection = await asyncio.to_thread(self._connect)
            with contextlib.closing(connection):
                return await _interruptibly(connection, lambda: _find(connection, words, count))
        except (sqlite3.Error, ConfigurationError) as error:
            raise Unavailable(f"The search index cannot be read: {error}.") from error

    def _connect(self) -> sqlite3.Connection:
        """Return a connection that may be used in another thread than it was made in."""
        try:
            connection = sqlite3.connect(
                self._path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            try:
                self._prepare(connection)
            except BaseException:
                connection.close()
                raise
        except sqlite3.Error as error:
            raise ConfigurationError(f"{self._path}: cannot be opened: {error}") from error
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version > VERSION:
            raise ConfigurationError(
                f"{self._path}: written by a newer version of toplu; upgrade toplu to open it"
            )
        if version == 0:
            # One transaction, so that of two processes one makes the tables and one finds them.
            script = f"BEGIN IMMEDIATE; {TABLES} PRAGMA user_version = {VERSION}; COMMIT;"
            with contextlib.suppress(sqlite3.OperationalError):
                connection.executescript(script)
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version != VERSION:
                raise sqlite3.OperationalError("its tables cannot be made")

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with contextlib.closing(self._connect()) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException as error:
                # Some faults, a full disk among them, end the transaction by themselves.
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                if isinstance(error, sqlite3.Error):
                    raise ConfigurationError(f"{self._path}: cannot be changed: {error}") from error
                raise


async def _interruptibly(connection: sqlite3.Connection, work: Callable[[], T]) -> T:
    """Work in a thread, which is done with the connection when this returns, however it does."""
    cancelled = threading.Event()
    connection.set_progress_handler(cancelled.is_set, STEPS_BETWEEN_LOOKS)
    working = asyncio.get_running_loop().run_in_executor(None, work)
    try:
        return await asyncio.shield(working)
    except asyncio.CancelledError:
        cancelled.set()
        with contextlib.suppress(sqlite3.Error):
            await working
        raise


def _find(connection: sqlite3.Connection, words: Sequence[str], count: int) -> list[Passage]:
    quoted = [f'"{word}"' for word in words if WORD.fullmatch(word)][:WORDS_MAX]
    if not quoted:
        return []
    rows = connection.execute(
        "SELECT title, uri, text FROM passages WHERE passages MATCH ?"
        " ORDER BY bm25(passages, ?, 1.0), rowid LIMIT ?",
        (" OR ".join(quoted), TITLE_WEIGHT, count * PASSAGES_PER_DOCUMENT),
    )
    best: dict[str, Passage] = {}
    for title, uri, text in rows:
        best.setdefault(uri, Passage(title=title, uri=uri, text=text))
    return list(best.values())[:count]


def _remove(connection: sqlite3.Connection, name: str) -> bool:
    connection.execute("DELETE FROM passages WHERE collection = ?", (name,))
    return connection.execute("DELETE FROM collections WHERE name = ?", (name,)).rowcount > 0
