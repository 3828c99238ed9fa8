"""Webhooks, their secrets and deliveries, and what a batch itself says of who is to be told."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables and add the column."""
    op.add_column("jobs", sa.Column("webhook_config", sa.LargeBinary))
    op.create_table(
        "webhooks",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("project", sa.String(64), nullable=False),
        sa.Column("wire", sa.String(16), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("uri", sa.Text, nullable=False),
        sa.Column("events", sa.Text, nullable=False),
        sa.Column("state", sa.String(40), nullable=False),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.Column("updated", sa.BigInteger, nullable=False),
        sa.Column("failing_since", sa.BigInteger),
    )
    op.create_index("webhooks_of_project", "webhooks", ["project", "created", "id"])
    op.create_table(
        "webhook_secrets",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("webhook", sa.String(64), sa.ForeignKey("webhooks.id"), nullable=False),
        sa.Column("secret", sa.LargeBinary, nullable=False),
        sa.Column("hint", sa.String(16), nullable=False),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.Column("expires", sa.BigInteger),
    )
    op.create_index("webhook_secrets_of_webhook", "webhook_secrets", ["webhook"])
    _make_deliveries()
    op.create_table(
        "signing_keys",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("private", sa.LargeBinary, nullable=False),
        sa.Column("public", sa.Text, nullable=False),
        sa.Column("created", sa.BigInteger, nullable=False),
    )


def _make_deliveries() -> None:
    op.create_table(
        "deliveries",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("project", sa.String(64), nullable=False),
        sa.Column("webhook", sa.String(64)),
        sa.Column("event", sa.String(64), nullable=False),
        sa.Column("batch", sa.String(64)),
        sa.Column("uri", sa.Text, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.Column("since", sa.BigInteger, nullable=False),
        sa.Column("due", sa.BigInteger, nullable=False),
        sa.Column("attempts", sa.BigInteger, nullable=False),
        sa.Column("owner", sa.String(64)),
        sa.Column("tried", sa.BigInteger),
        sa.Column("status", sa.BigInteger),
        sa.Column("reason", sa.Text),
        sa.Column("ended", sa.BigInteger),
    )
    op.create_index("deliveries_due", "deliveries", ["state", "due"])
    op.create_index("deliveries_of_project", "deliveries", ["project", "created", "id"])
    op.create_index("deliveries_of_webhook", "deliveries", ["webhook", "created", "id"])
    op.create_index("deliveries_of_owner", "deliveries", ["owner"])
    op.create_index("deliveries_ended", "deliveries", ["ended"])
