"""Jobs that run again what others left, and what a job read and wrote; earlier jobs say neither."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns."""
    for name in ("input_sha256", "output_sha256", "retry_of", "retried_by"):
        op.add_column("jobs", sa.Column(name, sa.String(64)))
