"""Requests that another one's answer was right for; none of those that ran before was."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns."""
    for table in ("jobs", "shards"):
        op.add_column(
            table, sa.Column("deduplicated", sa.BigInteger, nullable=False, server_default="0")
        )
