"""Rows of keys, for tests of databases that want any row."""

from sqlalchemy import Connection, insert, select

from support.fake_clock import NOON
from toplu.store.rows import schema


def add_key(connection: Connection, name: str) -> None:
    connection.execute(
        insert(schema.keys).values(
            id=name, sha256=name, project="p", label="", prefix="", created=NOON
        )
    )


def key_names(connection: Connection) -> list[str]:
    return list(connection.scalars(select(schema.keys.c.id).order_by(schema.keys.c.id)))
