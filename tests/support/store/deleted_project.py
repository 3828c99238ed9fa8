"""A data folder in which projects have something of each kind, and what deletes one of them."""

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Self

from sqlalchemy import Connection, insert

from support.fake_clock import NOON, FakeClock
from support.store.migrated import open_migrated
from support.store.rows import a_file, a_job, some_shards
from toplu.batch import paths
from toplu.deletion.places import Places
from toplu.deletion.project_deletion import ProjectDeletion
from toplu.idempotency import Creation, IdempotencyKey
from toplu.job import JobId, ProjectId
from toplu.labels import LabelSums
from toplu.money import Kind, Prices, Usage
from toplu.settings.server import Settings
from toplu.store.blobs.records import Record
from toplu.store.blobs.result_log import ResultLog
from toplu.store.data_folder import DataFolder
from toplu.store.rows import webhook_tables
from toplu.store.rows.caches import CacheRows, StoredCache
from toplu.store.rows.database import Database
from toplu.store.rows.deletions import DeletionRows
from toplu.store.rows.files import FileRows
from toplu.store.rows.jobs import JobRows
from toplu.store.rows.keys import IssuedKey, KeyRows
from toplu.store.rows.ledger import LedgerEntry, LedgerRows
from toplu.store.rows.projects import ProjectRows
from toplu.store.rows.rates import rates
from toplu.store.rows.removal import RemovalRows
from toplu.store.rows.schema import label_sums, shares
from toplu.store.rows.uploads import UploadSession, UploadSessions

LATER = NOON + timedelta(hours=1)
PRICES = Prices(currency="EUR", input_units=20, cached_units=6, output_units=40)


class Town:
    """The folder, with the rows and bytes that projects have in it."""

    def __init__(self, data: DataFolder, database: Database) -> None:
        self.data = data
        self.database = database
        self.clock = FakeClock(LATER)
        self.dropped: list[JobId] = []
        self.rung = 0
        self.jobs = JobRows(database)
        self.files = FileRows(database)
        self.keys = KeyRows(database)
        self.ledger = LedgerRows(database)
        self.deletions = DeletionRows(database)
        self.results = ResultLog(data.results)

    @classmethod
    async def open(cls, root: Path) -> Self:
        data = DataFolder(root)
        data.create()
        return cls(data, await open_migrated(data.database))

    def deletion(self, *, is_alone: bool = True, **settings: object) -> ProjectDeletion:
        return ProjectDeletion(
            settings=Settings(**settings),  # type: ignore[arg-type]
            clock=self.clock,
            deletions=self.deletions,
            removal=RemovalRows(self.database),
            places=Places(self.data),
            drop_job=self.dropped.append,
            deleted=self._ring,
            is_alone=is_alone,
        )

    def _ring(self) -> None:
        self.rung += 1

    async def move_in(self, project: ProjectId) -> None:
        """Leave the project's name, with ` words`, in all that it may have."""
        words = f"{project} words"
        await self._leave_batches(project, words)
        await self._leave_files(project, words)
        await self._leave_rows(project, words)

    async def _leave_batches(self, project: ProjectId, words: str) -> None:
        for name in ("done", "running"):
            job = JobId(f"{project}-{name}")
            key = IdempotencyKey(
                project=project, creation=Creation.BATCH, key=f"{words} {name}", fingerprint="f"
            )
            made = a_job(job, project=project, display_name=words, prices=PRICES)
            await self.jobs.create(made, 10, key=key)
            await self.jobs.plan(job, some_shards(job, 2), 2, NOON)
            record = Record(index=0, succeeded=True, payload=words.encode())
            self.results.append(job, 0, 1, [record], at=0)
            self._write(f"blobs/{paths.input_lines(job)}", words)
        running = JobId(f"{project}-running")
        sums = LabelSums()
        sums.count({"team": words}, Usage(prompt_tokens=3))
        values = {"job": running, "shard": 0, "sums": sums.encode()}
        await self.database.write(lambda c: c.execute(insert(label_sums).values(values)).close())
        await self.jobs.mark_deleted(project, JobId(f"{project}-done"), NOON)

    async def _leave_files(self, project: ProjectId, words: str) -> None:
        blob = f"files/{project}"
        file = a_file(f"{project}-words", project=project, display_name=words, blob=blob)
        await self.files.create(file, 10**6)
        self._write(f"blobs/{blob}", words)
        session = UploadSession(
            id_hash=f"{project}hash",
            project=project,
            actor="key/k",
            file_id=f"{project}-words-2",
            display_name=words,
            mime_type=words,
            declared_bytes=None,
            created=NOON,
            expires=LATER,
        )
        await UploadSessions(self.database).create(session, 10)
        self._write(f"uploads/{session.id_hash}.part", words)
        cache = StoredCache(
            id=f"{project}cache",
            project=project,
            model="m",
            engine="m",
            display_name=words,
            tokens=1,
            created=NOON,
            updated=NOON,
            expires=LATER,
        )
        await CacheRows(self.database).create(cache, words.encode(), 10)

    async def _leave_rows(self, project: ProjectId, words: str) -> None:
        await self.keys.add(
            IssuedKey(
                id=f"{project}key",
                sha256=f"{project}sum",
                project=project,
                label=words,
                prefix="tpl_",
                created=NOON,
            )
        )
        await ProjectRows(self.database).set_tier(project, "large", NOON)
        await self._leave_webhook(project, words)
        share = {"engine": "m", "project": project, "weight": 1, "served": 1, "started": 1}
        await self.database.write(lambda c: c.execute(insert(shares).values(share)).close())
        for number in range(5):
            await self.enter(project, f"{project}-{number}", words)

    async def _leave_webhook(self, project: ProjectId, words: str) -> None:
        webhook = {"id": f"{project}hook", "project": project, "wire": "GEMINI", "name": words}
        webhook |= {"uri": words, "events": "", "state": "enabled"}
        secret = {"id": f"{project}secret", "webhook": webhook["id"], "hint": ""}
        delivery = {"id": f"{project}told", "project": project, "event": "e", "uri": words}
        delivery |= {"state": "waiting", "attempts": "0"}
        bucket = {"project": project, "model": words, "kind": "k", "per_minute": "1"}

        def write(connection: Connection) -> None:
            made = {"created": NOON}
            tables = webhook_tables
            connection.execute(insert(tables.webhooks).values(**webhook, **made, updated=NOON))
            secrets = insert(tables.webhook_secrets)
            connection.execute(secrets.values(**secret, **made, secret=words.encode()))
            told = insert(tables.deliveries).values(**delivery, **made, body=words.encode())
            connection.execute(told.values(since=NOON, due=NOON))
            level = {"level": 1.0, "at": NOON, "full": LATER}
            connection.execute(insert(rates).values(**bucket, **level))

        await self.database.write(write)

    async def enter(self, project: ProjectId, entry_id: str, label: str) -> None:
        """Leave what one interactive call leaves."""
        usage = Usage(prompt_tokens=1)
        sums = LabelSums()
        sums.count({"team": label}, usage)
        entry = LedgerEntry.of(
            entry_id=entry_id,
            project=project,
            model="m",
            kind=Kind.INTERACTIVE,
            at=NOON,
            requests=1,
            usage=usage,
            prices=PRICES,
            labels=sums,
        )
        await self.ledger.add([entry])

    def _write(self, path: str, words: str) -> None:
        target = self.data.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(words)

    def files_with(self, words: str) -> list[str]:
        """Return the files below the folder that have the words, in whatever part of them."""
        found = (path for path in sorted(self.data.root.rglob("*")) if path.is_file())
        return [
            str(path.relative_to(self.data.root))
            for path in found
            if words.encode() in path.read_bytes()
        ]

    def columns_with(self, words: str) -> set[str]:
        """Return the columns that have the words, as table.column."""
        with closing(sqlite3.connect(self.data.database)) as connection:
            tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            return {
                f"{table}.{column}"
                for (table,) in tables.fetchall()
                for (_, column, *_) in connection.execute(f"PRAGMA table_info({table})").fetchall()
                if any(words in _text(cell) for (cell,) in _cells(connection, table, column))
            }


def _cells(connection: sqlite3.Connection, table: str, column: str) -> list[tuple[object]]:
    return connection.execute(f'SELECT "{column}" FROM "{table}"').fetchall()


def _text(cell: object) -> str:
    return cell.decode(errors="replace") if isinstance(cell, bytes) else str(cell)
