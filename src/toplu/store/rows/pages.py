"""Marks where a page of a list ended, and finds the page after it."""

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeVar

from sqlalchemy import ColumnElement, Select, Table, and_, or_

from toplu.errors import InvalidArgument
from toplu.store.rows.columns import EPOCH, MICROSECOND

TOKEN = re.compile(r"([0-9]{1,17}):([a-z0-9_-]{1,64})")


@dataclass(frozen=True, slots=True)
class PageMark:
    """The last entry of a page; the next page begins after it."""

    created: datetime
    id: str

    @property
    def token(self) -> str:
        """The mark as a client carries it from page to page."""
        text = f"{(self.created - EPOCH) // MICROSECOND}:{self.id}"
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    @classmethod
    def of(cls, entry: "Listed") -> "PageMark":
        """Return the mark of an entry."""
        return cls(entry.created, entry.id)

    @classmethod
    def of_token(cls, token: str) -> "PageMark":
        """Return the mark that a token stands for, or raise InvalidArgument."""
        try:
            text = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode("ascii")
        except (binascii.Error, ValueError):
            text = ""
        match = TOKEN.fullmatch(text)
        if match is None:
            raise InvalidArgument("The page token is not one that this server gave.")
        return cls(created=EPOCH + int(match[1]) * MICROSECOND, id=match[2])


class Listed(Protocol):
    """An entry of a list."""

    @property
    def created(self) -> datetime: ...

    @property
    def id(self) -> str: ...


L = TypeVar("L", bound=Listed)


def cut_page(found: Sequence[L], size: int) -> tuple[list[L], str | None]:
    """Return the page of what was found, and the token of the next page if any.

    One entry more than the page has was asked for, so that a token never leads to an empty page.
    """
    page = [*found[:size]]
    return page, PageMark.of(page[-1]).token if len(found) > size else None


def newest_first(
    query: Select[Any], table: Table, size: int, after: PageMark | None
) -> Select[Any]:
    """Return the query for one page: by creation and then by id, both falling."""
    if after is not None:
        query = query.where(_is_older(table, after))
    return query.order_by(table.c.created.desc(), table.c.id.desc()).limit(size)


def _is_older(table: Table, mark: PageMark) -> ColumnElement[bool]:
    # The first half alone lets the database start in its index at the right place.
    return and_(
        table.c.created <= mark.created,
        or_(table.c.created < mark.created, table.c.id < mark.id),
    )
