"""By which API a job came, and when it began to run; the purpose of a file."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns."""
    op.add_column("jobs", sa.Column("wire", sa.String(16), nullable=False, server_default="GEMINI"))
    op.add_column("jobs", sa.Column("wire_details", sa.LargeBinary))
    op.add_column("jobs", sa.Column("started", sa.BigInteger))
    op.add_column("files", sa.Column("purpose", sa.String(32)))
