"""Jobs with a method: those that were there before there was a choice generate."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    op.add_column(
        "jobs", sa.Column("method", sa.String(16), nullable=False, server_default="GENERATE")
    )
