"""The priority of jobs, and how much of an engine each project had."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column and make the table."""
    op.add_column("jobs", sa.Column("priority", sa.BigInteger, nullable=False, server_default="0"))
    op.create_table(
        "shares",
        sa.Column("engine", sa.Text, primary_key=True),
        sa.Column("project", sa.String(64), primary_key=True),
        *(
            sa.Column(name, sa.BigInteger, nullable=False)
            for name in ("weight", "served", "started")
        ),
    )
