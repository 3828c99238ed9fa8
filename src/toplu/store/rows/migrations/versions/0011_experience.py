"""The last answers of each project, and what they used: its next jobs are expected to be alike."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns."""
    for name in ("answers", "prompt_tokens", "cached_tokens", "output_tokens"):
        op.add_column("shares", sa.Column(name, sa.BigInteger, nullable=False, server_default="0"))
