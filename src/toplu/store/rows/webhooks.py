"""The rows of webhooks: who is told when a batch has ended."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Update,
    and_,
    delete,
    func,
    insert,
    select,
    update,
)

from toplu.deed import Action
from toplu.errors import ResourceExhausted
from toplu.idempotency import IdempotencyKey
from toplu.job import ProjectId, Wire
from toplu.store.rows.audit import note
from toplu.store.rows.database import Database
from toplu.store.rows.idempotency import note_creation
from toplu.store.rows.locks import lock_project
from toplu.store.rows.pages import PageMark, newest_first
from toplu.store.rows.webhook_secrets import NewSecret, Seal, insert_secret
from toplu.store.rows.webhook_tables import (
    DeliveryState,
    WebhookState,
    deliveries,
    webhook_secrets,
    webhooks,
)

__all__ = ["WebhookState"]

# Google's SDKs send a call again that was answered with nothing, for half a minute.
SENT_AGAIN = timedelta(minutes=1)
TOLD_APART_BY = ("project", "wire", "name", "uri", "events")


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """An address that is told when batches of its project end."""

    id: str
    project: ProjectId
    wire: Wire  # of whose batches it is told, and at which it is listed
    name: str
    uri: str
    events: Sequence[str]
    state: WebhookState
    created: datetime
    updated: datetime
    failing_since: datetime | None = None


def events_in(text: str) -> list[str]:
    """Return the names of events in a column."""
    return text.split(",")


class WebhookRows:
    """The rows of webhooks."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(
        self,
        webhook: Webhook,
        secret: NewSecret,
        seal: Seal,
        webhooks_max: int,
        key: IdempotencyKey | None = None,
    ) -> Webhook:
        """Add the webhook and return it; ResourceExhausted: its project has too many.

        With a `key` that has made one before it raises as `store.rows.idempotency` says. Without
        one, the same again within a minute is that of the first time.
        """

        def add(connection: Connection) -> Webhook:
            lock_project(connection, webhook.project)
            note_creation(connection, key, webhook.id, webhook.created)
            if key is None and (before := _twin_of(connection, webhook)) is not None:
                return before
            count = connection.scalar(
                select(func.count()).where(webhooks.c.project == webhook.project)
            )
            assert count is not None, "a count is always there"
            if count >= webhooks_max:
                raise ResourceExhausted.of_quota(
                    "webhooks", webhooks_max, f"the project has {count} webhooks."
                )
            connection.execute(insert(webhooks).values(_values_of(webhook)))
            insert_secret(connection, webhook.id, secret, seal)
            _note(connection, Action.WEBHOOK_CREATE, webhook, webhook.created)
            return webhook

        return await self._database.write(add, locks_rows=True)

    async def find(self, project: ProjectId, webhook_id: str) -> Webhook | None:
        query = select(webhooks).where(_is_webhook(project, webhook_id))
        row = await self._database.read(lambda c: c.execute(query).first())
        return None if row is None else _webhook_of(row)

    async def page(
        self,
        project: ProjectId,
        size: int,
        after: PageMark | None = None,
        *,
        wire: Wire | None = None,
    ) -> list[Webhook]:
        """Return up to `size` webhooks, newest first; of one API, or of any."""
        query = select(webhooks).where(webhooks.c.project == project)
        if wire is not None:
            query = query.where(webhooks.c.wire == wire)
        query = newest_first(query, webhooks, size, after)
        return await self._database.read(lambda c: [_webhook_of(row) for row in c.execute(query)])

    async def count_in(self, state: WebhookState) -> int:
        """Return how many webhooks of all projects are in the state."""
        query = select(func.count()).where(webhooks.c.state == state)
        return await self._database.read(lambda c: c.execute(query).scalar_one())

    async def amend(
        self, project: ProjectId, webhook_id: str, changes: dict[str, Any], at: datetime
    ) -> Webhook | None:
        """Change columns of the webhook and return it, None if it is gone."""
        return await self._database.write(
            lambda c: _amend(c, _is_webhook(project, webhook_id), changes, at)
        )

    async def delete(self, webhook: Webhook, at: datetime) -> bool:
        """Remove the webhook with its secrets and deliveries; False: it is not there."""

        def remove(connection: Connection) -> bool:
            secrets = delete(webhook_secrets).where(webhook_secrets.c.webhook == webhook.id)
            connection.execute(secrets)
            connection.execute(delete(deliveries).where(deliveries.c.webhook == webhook.id))
            if not connection.execute(delete(webhooks).where(webhooks.c.id == webhook.id)).rowcount:
                return False
            _note(connection, Action.WEBHOOK_DELETE, webhook, at)
            return True

        return await self._database.write(remove)


def _twin_of(connection: Connection, webhook: Webhook) -> Webhook | None:
    """Return the same webhook, made a moment ago by a call that was sent again since."""
    values = _values_of(webhook)
    same = [webhooks.c[name] == values[name] for name in TOLD_APART_BY]
    is_fresh = and_(
        webhooks.c.created > webhook.created - SENT_AGAIN, webhooks.c.updated == webhooks.c.created
    )
    row = connection.execute(select(webhooks).where(*same, is_fresh)).first()
    return None if row is None else _webhook_of(row)


def disable_webhook(
    connection: Connection, webhook_id: str, state: WebhookState, at: datetime
) -> None:
    """Tell the webhook of nothing more; what waits for it has failed."""
    connection.execute(
        update(webhooks).where(webhooks.c.id == webhook_id).values(state=state, updated=at)
    )
    connection.execute(
        _waiting_for(webhook_id).values(
            state=DeliveryState.FAILED, owner=None, reason="the webhook is disabled", ended=at
        )
    )


def _amend(
    connection: Connection, is_it: ColumnElement[bool], changes: dict[str, Any], at: datetime
) -> Webhook | None:
    row = connection.execute(select(webhooks).where(is_it)).first()
    if row is None:
        return None
    changes = dict(changes)
    if "events" in changes:
        changes["events"] = ",".join(changes["events"])
    state = changes.get("state", row.state)
    if state != row.state:
        # Whoever switches it on or off begins anew.
        changes["failing_since"] = None
    connection.execute(update(webhooks).where(is_it).values(**changes, updated=at))
    if "uri" in changes:
        connection.execute(_waiting_for(row.id).values(uri=changes["uri"]))
    if state not in {row.state, WebhookState.ENABLED}:
        disable_webhook(connection, row.id, state, at)
    webhook = _webhook_of(connection.execute(select(webhooks).where(is_it)).one())
    _note(connection, Action.WEBHOOK_UPDATE, webhook, at)
    return webhook


def _waiting_for(webhook_id: str) -> Update:
    return update(deliveries).where(
        deliveries.c.webhook == webhook_id, deliveries.c.state == DeliveryState.WAITING
    )


def _note(connection: Connection, action: Action, webhook: Webhook, at: datetime) -> None:
    note(connection, action, webhook.project, f"webhooks/{webhook.id}", at)


def _is_webhook(project: ProjectId, webhook_id: str) -> ColumnElement[bool]:
    return and_(webhooks.c.project == project, webhooks.c.id == webhook_id)


def _values_of(webhook: Webhook) -> dict[str, Any]:
    return asdict(webhook) | {"events": ",".join(webhook.events)}


def _webhook_of(row: Row[tuple[Any, ...]]) -> Webhook:
    values = row._asdict()
    return Webhook(
        **values
        | {
            "wire": Wire(values["wire"]),
            "events": tuple(events_in(values["events"])),
            "state": WebhookState(values["state"]),
        }
    )
