"""Recent activity of each replica: tokens of prompts, and how long calls took."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns."""
    for name in ("prompt_tokens", "cached_tokens"):
        op.add_column(
            "replicas", sa.Column(name, sa.BigInteger, nullable=False, server_default="0")
        )
    op.add_column("replicas", sa.Column("call_p95_seconds", sa.Float))
