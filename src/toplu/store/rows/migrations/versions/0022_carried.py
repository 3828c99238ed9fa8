"""The number of results of a job that came from the job which it takes up."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    op.add_column("jobs", sa.Column("carried", sa.BigInteger(), nullable=False, server_default="0"))
