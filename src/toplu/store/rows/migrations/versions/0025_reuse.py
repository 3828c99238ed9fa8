"""Batches that have answers of other batches: whether they may, how many, and what these cost."""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns."""
    for table in ("jobs", "shards", "ledger", "ledger_labels"):
        op.add_column(table, _number("reused_requests"))
        op.add_column(table, _number("reused_tokens"))
    op.add_column("jobs", _number("reused_units"))
    op.add_column(
        "jobs", sa.Column("reuse", sa.Boolean(), nullable=False, server_default=sa.false())
    )


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=False, server_default="0")
