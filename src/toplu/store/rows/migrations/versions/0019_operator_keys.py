"""Keys of operators, which see every project on the page."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    op.add_column(
        "keys", sa.Column("is_operator", sa.Boolean(), nullable=False, server_default=sa.false())
    )
