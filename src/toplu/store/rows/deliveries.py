"""Deliveries: what is to be sent to whom, how often it was tried, and what came of it.

One worker at a time tries a delivery. Its hold lapses after a while, and ends with the worker; a
number of the try in each write keeps one who comes late from changing anything.
"""

from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    and_,
    delete,
    func,
    insert,
    select,
    update,
)

from toplu.deed import Action
from toplu.job import JobId, ProjectId
from toplu.store.rows.audit import note
from toplu.store.rows.database import Database
from toplu.store.rows.pages import PageMark, newest_first
from toplu.store.rows.webhook_tables import DeliveryState, WebhookState, deliveries, webhooks
from toplu.store.rows.webhooks import disable_webhook

__all__ = ["DeliveryState"]

ID_LENGTH = 24
HOLD = timedelta(seconds=60)  # of a worker on a delivery; a try is over long before
TRIES_OF_A_PROJECT = 2  # at a time: a receiver that hangs holds up its own project first
WAITING_MAX = 1000  # of a project; what comes beyond is kept, and not tried by itself
ROUND_MAX = 1000  # rows that one look of the janitor removes


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDelivery:
    """An event for one address."""

    id: str  # the same at each try, and when it is sent again
    project: ProjectId
    webhook: str | None  # None: the batch itself named the address
    event: str
    batch: JobId | None  # None: it is a test
    uri: str
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery(NewDelivery):
    """The same, and how it stands."""

    state: DeliveryState
    created: datetime
    since: datetime  # the day in which it is tried again begins here
    due: datetime  # when it is to be tried; of one that is tried, when others may
    attempts: int
    owner: str | None  # the worker that tries it
    tried: datetime | None
    status: int | None  # of the last answer; None: there was none
    reason: str | None  # why the last try failed
    ended: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The end of one try."""

    status: int | None = None
    reason: str | None = None  # None: it succeeded
    again: datetime | None = None  # when it is to be tried again; None: it is not
    disables_after: timedelta | None = None  # of nothing but failures at the webhook


class DeliveryRows:
    """The rows of deliveries."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, new: NewDelivery, at: datetime) -> None:
        await self._database.write(lambda c: insert_delivery(c, new, at))

    async def take(self, owner: str, now: datetime) -> Delivery | None:
        """Return the delivery that is due first, which is this worker's to try."""
        # Nothing is written where there is nothing to do.
        if await self._database.read(lambda c: _due(c, now)) is None:
            return None
        return await self._database.write(lambda c: _take(c, owner, now))

    async def next_due(self) -> datetime | None:
        """Return when one is to be tried, be it held or not; None: none waits."""
        waiting = deliveries.c.state == DeliveryState.WAITING
        query = select(func.min(deliveries.c.due)).where(waiting)
        return await self._database.read(lambda c: c.scalar(query))

    async def settle(self, tried: Delivery, outcome: Outcome, at: datetime) -> bool:
        """Write what came of a try, of the delivery and of its webhook; False: too late.

        A webhook that has nothing but failures behind it for long is disabled by this.
        """
        return await self._database.write(lambda c: _settle(c, tried, outcome, at))

    async def find(self, project: ProjectId, delivery_id: str) -> Delivery | None:
        query = select(deliveries).where(_is_delivery(project, delivery_id))
        row = await self._database.read(lambda c: c.execute(query).first())
        return None if row is None else _delivery_of(row)

    async def page(
        self,
        project: ProjectId,
        size: int,
        after: PageMark | None = None,
        *,
        webhook: str | None = None,
    ) -> list[Delivery]:
        """Return up to `size` deliveries of the project, or of one webhook, newest first."""
        query = select(deliveries).where(deliveries.c.project == project)
        if webhook is not None:
            query = query.where(deliveries.c.webhook == webhook)
        query = newest_first(query, deliveries, size, after)
        return await self._database.read(lambda c: [_delivery_of(row) for row in c.execute(query)])

    async def send_again(self, project: ProjectId, delivery_id: str, at: datetime) -> bool:
        """Have the delivery tried at once, for another day if need be; False if it is gone."""
        change = (
            update(deliveries)
            .where(_is_delivery(project, delivery_id))
            .values(state=DeliveryState.WAITING, since=at, due=at, owner=None, ended=None)
        )
        return await self._database.write(lambda c: c.execute(change).rowcount == 1)

    async def forget_ended(self, before: datetime) -> None:
        """Remove deliveries that ended before that, a bounded number at a time."""
        old = select(deliveries.c.id).where(deliveries.c.ended < before).limit(ROUND_MAX)
        gone = delete(deliveries).where(deliveries.c.id.in_(old))
        if await self._database.read(lambda c: c.execute(old.limit(1)).first()) is not None:
            await self._database.write(lambda c: c.execute(gone).close())


def insert_delivery(connection: Connection, new: NewDelivery, at: datetime) -> None:
    """Add a delivery, to be tried at once; where too many wait it has failed from the start."""
    waiting = select(func.count()).where(
        deliveries.c.project == new.project, deliveries.c.state == DeliveryState.WAITING
    )
    count = connection.scalar(waiting)
    assert count is not None, "a count is always there"
    is_full = count >= WAITING_MAX
    connection.execute(
        insert(deliveries).values(
            **asdict(new),
            state=DeliveryState.FAILED if is_full else DeliveryState.WAITING,
            reason=f"the project has {WAITING_MAX} deliveries that wait" if is_full else None,
            created=at,
            since=at,
            due=at,
            attempts=0,
            ended=at if is_full else None,
        )
    )


def owners_of_deliveries(connection: Connection) -> set[str]:
    """Return who tries a delivery, whether or not the hold has lapsed."""
    owner = deliveries.c.owner
    return set(connection.scalars(select(owner).where(owner.is_not(None)).distinct()))


def free_deliveries_of(connection: Connection, owners: Collection[str]) -> None:
    """Let others try what these workers were at."""
    connection.execute(
        update(deliveries)
        .where(deliveries.c.owner.in_(owners))
        .values(owner=None, due=deliveries.c.tried)
    )


def _due(connection: Connection, now: datetime) -> Delivery | None:
    busy = (
        select(deliveries.c.project)
        .where(deliveries.c.owner.is_not(None), deliveries.c.due > now)
        .group_by(deliveries.c.project)
        .having(func.count() >= TRIES_OF_A_PROJECT)
    )
    row = connection.execute(
        select(deliveries)
        .where(
            deliveries.c.state == DeliveryState.WAITING,
            deliveries.c.due <= now,
            deliveries.c.project.not_in(busy),
        )
        .order_by(deliveries.c.due)
        .limit(1)
    ).first()
    return None if row is None else _delivery_of(row)


def _take(connection: Connection, owner: str, now: datetime) -> Delivery | None:
    found = _due(connection, now)
    if found is None:
        return None
    connection.execute(
        update(deliveries)
        .where(deliveries.c.id == found.id)
        .values(owner=owner, due=now + HOLD, tried=now, attempts=found.attempts + 1)
    )
    row = connection.execute(select(deliveries).where(deliveries.c.id == found.id)).one()
    return _delivery_of(row)


def _settle(connection: Connection, tried: Delivery, outcome: Outcome, at: datetime) -> bool:
    values: dict[str, Any] = {"owner": None, "status": outcome.status, "reason": outcome.reason}
    if outcome.again is not None:
        values["due"] = outcome.again
    else:
        succeeded = outcome.reason is None
        values["state"] = DeliveryState.DELIVERED if succeeded else DeliveryState.FAILED
        values["ended"] = at
    settled = connection.execute(
        update(deliveries)
        .where(
            deliveries.c.id == tried.id,
            deliveries.c.owner == tried.owner,
            deliveries.c.attempts == tried.attempts,
        )
        .values(values)
    )
    if not settled.rowcount:
        return False
    if tried.webhook is not None:
        _note_at_webhook(connection, tried.project, tried.webhook, outcome, at)
    return True


def _note_at_webhook(
    connection: Connection, project: ProjectId, webhook: str, outcome: Outcome, at: datetime
) -> None:
    change = update(webhooks).where(webhooks.c.id == webhook)
    if outcome.reason is None:
        connection.execute(
            change.where(webhooks.c.failing_since.is_not(None)).values(failing_since=None)
        )
        return
    connection.execute(change.where(webhooks.c.failing_since.is_(None)).values(failing_since=at))
    if outcome.disables_after is None:
        return
    is_over = select(webhooks.c.id).where(
        webhooks.c.id == webhook,
        webhooks.c.state == WebhookState.ENABLED,
        webhooks.c.failing_since <= at - outcome.disables_after,
    )
    if connection.execute(is_over).first() is not None:
        state = WebhookState.DISABLED_DUE_TO_FAILED_DELIVERIES
        disable_webhook(connection, webhook, state, at)
        action, name = Action.WEBHOOK_UPDATE, f"webhooks/{webhook}"
        note(connection, action, project, name, at, detail=state)


def _is_delivery(project: ProjectId, delivery_id: str) -> ColumnElement[bool]:
    return and_(deliveries.c.project == project, deliveries.c.id == delivery_id)


def _delivery_of(row: Row[tuple[Any, ...]]) -> Delivery:
    values = row._asdict()
    return Delivery(**values | {"state": DeliveryState(values["state"])})
