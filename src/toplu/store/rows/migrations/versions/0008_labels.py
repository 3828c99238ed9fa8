"""Tables of what requests with labels used; those that ran before had none."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

SUMMED = (
    *("requests", "prompt_tokens", "cached_tokens", "output_tokens"),
    *("cost_whole", "cost_units"),
)


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "label_sums",
        sa.Column("job", sa.String(64), primary_key=True),
        sa.Column("shard", sa.BigInteger, primary_key=True),
        sa.Column("sums", sa.LargeBinary, nullable=False),
        sa.ForeignKeyConstraint(["job", "shard"], ["shards.job", "shards.number"]),
    )
    op.create_table(
        "ledger_labels",
        sa.Column("entry", sa.String(64), sa.ForeignKey("ledger.id"), primary_key=True),
        sa.Column("key", sa.String(64), primary_key=True),
        sa.Column("value", sa.String(64), primary_key=True),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in SUMMED),
    )
