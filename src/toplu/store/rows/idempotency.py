"""The things that idempotency keys have made; each function runs inside a transaction."""

from datetime import datetime, timedelta

from sqlalchemy import Connection, and_, delete, func, insert, select

from toplu.errors import Aborted, ResourceExhausted
from toplu.idempotency import AlreadyCreated, IdempotencyKey
from toplu.store.rows.schema import idempotency_keys as keys

LIFE = timedelta(hours=48)
KEYS_MAX = 100_000  # of one project within their life


def note_creation(
    connection: Connection, key: IdempotencyKey | None, resource: str, now: datetime
) -> None:
    """Take note of what the key makes; raises as `check_key` does."""
    if key is None:
        return
    check_key(connection, key, now)
    connection.execute(delete(keys).where(keys.c.created <= now - LIFE))
    count = connection.scalar(
        select(func.count()).select_from(keys).where(keys.c.project == key.project)
    )
    assert count is not None, "a count is always there"
    if count >= KEYS_MAX:
        raise ResourceExhausted(
            f"Resource has been exhausted: at most {KEYS_MAX} idempotency keys are kept for a "
            "project, each for 48 hours."
        )
    connection.execute(
        insert(keys).values(
            project=key.project,
            creation=key.creation,
            key=key.key,
            fingerprint=key.fingerprint,
            resource=resource,
            created=now,
        )
    )


def check_key(connection: Connection, key: IdempotencyKey, now: datetime) -> None:
    """Raise AlreadyCreated if the key has made something, Aborted if that had another body."""
    row = connection.execute(
        select(keys.c.fingerprint, keys.c.resource).where(
            and_(
                keys.c.project == key.project,
                keys.c.creation == key.creation,
                keys.c.key == key.key,
                keys.c.created > now - LIFE,
            )
        )
    ).first()
    if row is None:
        return
    if row.fingerprint != key.fingerprint:
        raise Aborted("The Idempotency-Key was used before, for a call with another body.")
    raise AlreadyCreated(row.resource)
