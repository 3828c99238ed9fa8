"""The audit log, and the actor of an upload, whose bytes may come without a key."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

UNCHANGED = """
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
BEGIN
    SELECT RAISE(ABORT, 'an entry of the audit log is never changed');
END
"""
# To replace a row is no deletion in the eyes of a trigger.
REPLACED = """
CREATE TRIGGER audit_is_not_replaced BEFORE INSERT ON audit
WHEN EXISTS (SELECT 1 FROM audit WHERE id = NEW.id)
BEGIN
    SELECT RAISE(ABORT, 'an entry of the audit log is never replaced');
END
"""
KEPT = """
CREATE TRIGGER audit_is_kept BEFORE DELETE ON audit
WHEN OLD.at >= (SELECT at FROM audit_horizon)
BEGIN
    SELECT RAISE(ABORT, 'an entry of the audit log is kept until it is too old');
END
"""


def upgrade() -> None:
    """Make the tables, and what refuses to change them."""
    op.create_table(
        "audit",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("project", sa.String(64), nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("action", sa.String(32), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("detail", sa.Text),
        sa.Column("client", sa.Text),
        sa.Column("call", sa.Text),
        sqlite_autoincrement=True,
    )
    op.create_index("audit_of_project", "audit", ["project", "id"])
    op.create_index("audit_at", "audit", ["at"])
    horizon = op.create_table(
        "audit_horizon",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(horizon, [{"id": 1, "at": 0}])
    for trigger in (UNCHANGED, REPLACED, KEPT):
        op.execute(trigger)
    op.add_column("uploads", sa.Column("actor", sa.Text, nullable=False, server_default="server"))
