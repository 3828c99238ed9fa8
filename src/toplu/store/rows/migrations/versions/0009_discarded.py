"""Tokens of answers that were discarded, which cost nothing; those of before were all priced."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns."""
    for table in ("jobs", "shards", "ledger", "ledger_labels"):
        for name in ("prompt", "cached", "output"):
            op.add_column(
                table,
                sa.Column(
                    f"discarded_{name}_tokens", sa.BigInteger, nullable=False, server_default="0"
                ),
            )
