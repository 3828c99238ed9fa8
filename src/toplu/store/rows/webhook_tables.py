"""The tables of webhooks: who is told when a batch has ended, and what they were told."""

from enum import StrEnum

from sqlalchemy import BigInteger, Column, ForeignKey, Index, LargeBinary, String, Table, Text

from toplu.store.rows.columns import Moment
from toplu.store.rows.schema import metadata


class WebhookState(StrEnum):
    """The state of a webhook: whether it is told of anything."""

    ENABLED = "enabled"
    DISABLED = "disabled"
    DISABLED_DUE_TO_FAILED_DELIVERIES = "disabled_due_to_failed_deliveries"


class DeliveryState(StrEnum):
    """The state of a delivery; the last two are final, until it is sent again by hand."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    FAILED = "failed"


webhooks = Table(
    "webhooks",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("project", String(64), nullable=False),
    # Of whose batches it is told, and at which alone it is listed.
    Column("wire", String(16), nullable=False),
    Column("name", Text, nullable=False),
    Column("uri", Text, nullable=False),
    Column("events", Text, nullable=False),  # their names, with commas between
    Column("state", String(40), nullable=False),
    Column("created", Moment, nullable=False),
    Column("updated", Moment, nullable=False),
    # Since when no try of a delivery has succeeded; null: the last one did.
    Column("failing_since", Moment),
    Index("webhooks_of_project", "project", "created", "id"),
)

webhook_secrets = Table(
    "webhook_secrets",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("webhook", String(64), ForeignKey("webhooks.id"), nullable=False),
    Column("secret", LargeBinary, nullable=False),  # sealed
    Column("hint", String(16), nullable=False),
    Column("created", Moment, nullable=False),
    Column("expires", Moment),  # null: it is the newest
    Index("webhook_secrets_of_webhook", "webhook"),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("project", String(64), nullable=False),
    Column("webhook", String(64)),  # null: the batch itself named the address
    Column("event", String(64), nullable=False),
    Column("batch", String(64)),  # null: it is a test
    Column("uri", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("state", String(16), nullable=False),
    Column("created", Moment, nullable=False),
    # The day in which it is tried again begins here.
    Column("since", Moment, nullable=False),
    # When it is to be tried; of one that a worker tries, when others may.
    Column("due", Moment, nullable=False),
    Column("attempts", BigInteger, nullable=False),
    Column("owner", String(64)),
    # Of the last try: when it began, what was answered, what was wrong.
    Column("tried", Moment),
    Column("status", BigInteger),
    Column("reason", Text),
    Column("ended", Moment),
    Index("deliveries_due", "state", "due"),
    Index("deliveries_of_project", "project", "created", "id"),
    Index("deliveries_of_webhook", "webhook", "created", "id"),
    Index("deliveries_of_owner", "owner"),
    Index("deliveries_ended", "ended"),
)

signing_keys = Table(
    "signing_keys",
    metadata,
    # The server's own, for addresses that a batch named.
    Column("id", String(64), primary_key=True),
    Column("private", LargeBinary, nullable=False),  # sealed, as PEM
    Column("public", Text, nullable=False),  # a JSON Web Key
    Column("created", Moment, nullable=False),
)
