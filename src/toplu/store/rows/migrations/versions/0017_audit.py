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
ON_SQLITE = (UNCHANGED, REPLACED, KEPT)

# A key is not replaced there; a table could be emptied without a look at its rows.
ON_POSTGRES = (
    """
CREATE FUNCTION audit_is_not_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'an entry of the audit log is never changed'
    USING ERRCODE = 'integrity_constraint_violation';
END $$
""",
    """
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
FOR EACH ROW EXECUTE FUNCTION audit_is_not_changed()
""",
    """
CREATE FUNCTION audit_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'TRUNCATE' OR OLD.at >= (SELECT at FROM audit_horizon) THEN
        RAISE EXCEPTION 'an entry of the audit log is kept until it is too old'
        USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN OLD;
END $$
""",
    """
CREATE TRIGGER audit_is_kept BEFORE DELETE ON audit
FOR EACH ROW EXECUTE FUNCTION audit_is_kept()
""",
    """
CREATE TRIGGER audit_is_not_emptied BEFORE TRUNCATE ON audit
FOR EACH STATEMENT EXECUTE FUNCTION audit_is_kept()
""",
)


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
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    for trigger in ON_SQLITE if is_sqlite else ON_POSTGRES:
        op.execute(trigger)
    op.add_column("uploads", sa.Column("actor", sa.Text, nullable=False, server_default="server"))
