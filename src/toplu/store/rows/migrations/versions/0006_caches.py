"""Caches: contents that are kept to be put before requests."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "caches",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("project", sa.String(64), nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("engine", sa.Text, nullable=False),
        sa.Column("display_name", sa.Text),
        *(
            sa.Column(name, sa.BigInteger, nullable=False)
            for name in ("tokens", "created", "updated", "expires")
        ),
        sa.Column("contents", sa.LargeBinary, nullable=False),
    )
    op.create_index("caches_of_project", "caches", ["project", "created", "id"])
    op.create_index("caches_expiring", "caches", ["expires"])
