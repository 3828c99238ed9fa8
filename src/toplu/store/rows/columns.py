"""Columns that several tables have, and the form of times in all of them."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from sqlalchemy import BigInteger, Column, Dialect
from sqlalchemy.types import TypeDecorator

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


class Moment(TypeDecorator[datetime]):
    """An aware time, kept as whole microseconds since 1970 so that every database orders it."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002  # SQLAlchemy's signature
        return None if value is None else (value - EPOCH) // MICROSECOND

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002  # SQLAlchemy's signature
        return None if value is None else EPOCH + value * MICROSECOND


def further_usage() -> Iterator[Column[int]]:
    """Yield the columns of `money.Usage` behind its first three."""
    for name in (
        "discarded_prompt_tokens",
        "discarded_cached_tokens",
        "discarded_output_tokens",
        "reused_requests",
        "reused_tokens",
    ):
        yield Column(name, BigInteger, nullable=False, server_default="0")
