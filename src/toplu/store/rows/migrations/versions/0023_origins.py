"""Addresses that files, and the inputs of batches, were fetched from."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns."""
    op.add_column("files", sa.Column("origin", sa.LargeBinary))
    op.add_column("jobs", sa.Column("input_origin", sa.LargeBinary))
