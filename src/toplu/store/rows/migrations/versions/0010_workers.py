"""The tables of the processes that work."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "workers",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("door", sa.Text),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in ("started", "seen")),
    )
    op.create_table(
        "replicas",
        sa.Column("worker", sa.String(64), primary_key=True),
        sa.Column("engine", sa.Text, primary_key=True),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in ("lanes", "window")),
        sa.Column("work_per_second", sa.Float),
    )
    op.create_table(
        "at_work",
        sa.Column("worker", sa.String(64), primary_key=True),
        sa.Column("engine", sa.Text, primary_key=True),
        sa.Column("job", sa.String(64), primary_key=True),
        sa.Column("lanes", sa.BigInteger, nullable=False),
    )
    op.create_index("at_work_of_engine", "at_work", ["engine"])
    op.create_table(
        "faults",
        sa.Column("worker", sa.String(64), primary_key=True),
        sa.Column("job", sa.String(64), primary_key=True),
        sa.Column("reason", sa.Text, nullable=False),
    )
