"""The batch that a job is a part of, where a batch is for several engines."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    op.add_column("jobs", sa.Column("part_of", sa.String(64)))
    op.create_index("jobs_part_of", "jobs", ["part_of"])
