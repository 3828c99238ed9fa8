"""The secrets of webhooks and the server's own signing keys, all sealed."""

from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, or_, select, update

from toplu.deed import Action
from toplu.job import ProjectId
from toplu.store.rows.audit import note
from toplu.store.rows.database import Database
from toplu.store.rows.webhook_tables import signing_keys, webhook_secrets, webhooks

Seal = Callable[[bytes], bytes]
SECRETS_MAX = 8  # of a webhook that are valid at the same time


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedSecret:
    """A secret as it is kept."""

    id: str
    secret: bytes
    hint: str  # its end, by which people know it
    created: datetime
    expires: datetime | None = None  # None: it is the newest


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSecret:
    """A secret that is to be kept; it is sealed in the transaction that writes it."""

    id: str
    secret: bytes
    hint: str
    created: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """A key of the server's own."""

    id: str
    private: bytes  # sealed
    public: str  # a JSON Web Key
    created: datetime


class SecretRows:
    """The rows of what is sealed."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def secrets(self, webhook_id: str, now: datetime) -> list[SealedSecret]:
        """Return the secrets that are valid, the newest first."""
        valid = or_(webhook_secrets.c.expires.is_(None), webhook_secrets.c.expires > now)
        query = (
            select(webhook_secrets)
            .where(webhook_secrets.c.webhook == webhook_id, valid)
            .order_by(webhook_secrets.c.created.desc(), webhook_secrets.c.id)
        )
        return await self._database.read(lambda c: [_secret_of(row) for row in c.execute(query)])

    async def newest_of_each(self) -> dict[str, bytes]:
        """Return the newest secret of every webhook, sealed."""
        query = select(webhook_secrets.c.webhook, webhook_secrets.c.secret)
        query = query.where(webhook_secrets.c.expires.is_(None))
        return await self._database.read(
            lambda c: {row.webhook: row.secret for row in c.execute(query)}
        )

    async def rotate(
        self,
        project: ProjectId,
        webhook: str,
        secret: NewSecret,
        seal: Seal,
        *,
        others_until: datetime,
    ) -> bool:
        """Add a secret; those before it are valid until then at most, and only the last few.

        False: the webhook is gone.
        """

        def write(connection: Connection) -> bool:
            touched = update(webhooks).where(webhooks.c.id == webhook)
            if not connection.execute(touched.values(updated=secret.created)).rowcount:
                return False
            _end_others(connection, webhook, others_until, secret.created)
            insert_secret(connection, webhook, secret, seal)
            name = f"webhooks/{webhook}"
            note(connection, Action.WEBHOOK_ROTATE, project, name, secret.created)
            return True

        return await self._database.write(write)

    async def signing_keys(self) -> list[SigningKey]:
        """Return the server's own keys, the newest first."""
        query = select(signing_keys).order_by(signing_keys.c.created.desc())
        return await self._database.read(
            lambda c: [SigningKey(**row._asdict()) for row in c.execute(query)]
        )

    async def add_signing_key(self, key: SigningKey, seal: Seal, known: Collection[str]) -> None:
        """Keep the key, unless another process has kept one beside the known ones meanwhile."""

        def write(connection: Connection) -> None:
            if set(connection.scalars(select(signing_keys.c.id))) <= set(known):
                values = asdict(key) | {"private": seal(key.private)}
                connection.execute(insert(signing_keys).values(values))

        await self._database.write(write)

    async def seal_again(self, seal: Seal) -> int:
        """Write every sealed value anew, all or none; return how many there are."""

        def write(connection: Connection) -> int:
            count = 0
            for table, column in (
                (webhook_secrets, webhook_secrets.c.secret),
                (signing_keys, signing_keys.c.private),
            ):
                for row in connection.execute(select(table.c.id, column)).all():
                    connection.execute(
                        update(table).where(table.c.id == row[0]).values({column: seal(row[1])})
                    )
                    count += 1
            return count

        return await self._database.write(write)


def _end_others(connection: Connection, webhook: str, until: datetime, now: datetime) -> None:
    """Have the secrets that are there be valid until then, the last few of them."""
    expires = webhook_secrets.c.expires
    is_of_it = webhook_secrets.c.webhook == webhook
    outlives = or_(expires.is_(None), expires > until)
    connection.execute(update(webhook_secrets).where(is_of_it, outlives).values(expires=until))
    newest = (
        select(webhook_secrets.c.id)
        .where(is_of_it)
        .order_by(webhook_secrets.c.created.desc())
        .limit(SECRETS_MAX - 1)
    )
    is_over = or_(expires <= now, webhook_secrets.c.id.not_in(newest))
    connection.execute(delete(webhook_secrets).where(is_of_it, is_over))


def insert_secret(connection: Connection, webhook_id: str, secret: NewSecret, seal: Seal) -> None:
    """Keep the secret; runs inside a transaction, and seals there."""
    values = asdict(secret) | {"secret": seal(secret.secret), "webhook": webhook_id}
    connection.execute(insert(webhook_secrets).values(values))


def _secret_of(row: Row[tuple[Any, ...]]) -> SealedSecret:
    values = row._asdict()
    del values["webhook"]
    return SealedSecret(**values)
