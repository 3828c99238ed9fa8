"""Deletions of projects, and what they may change in the audit log: names that a client chose."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

UNCHANGED = """
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
WHEN NOT (
    NEW.name = 'files/-' AND OLD.action LIKE 'file.%'
    AND EXISTS (SELECT 1 FROM deletions WHERE project = OLD.project AND settled = 0)
    AND NEW.id = OLD.id AND NEW.at = OLD.at AND NEW.project = OLD.project
    AND NEW.actor = OLD.actor AND NEW.action = OLD.action AND NEW.detail IS OLD.detail
    AND NEW.client IS OLD.client AND NEW.call IS OLD.call
)
BEGIN
    SELECT RAISE(ABORT, 'an entry of the audit log is never changed');
END
"""
ON_SQLITE = ("DROP TRIGGER audit_is_not_changed", UNCHANGED)
ON_POSTGRES = (
    """
CREATE OR REPLACE FUNCTION audit_is_not_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.name = 'files/-' AND OLD.action LIKE 'file.%'
        AND EXISTS (SELECT 1 FROM deletions WHERE project = OLD.project AND NOT settled)
        AND NEW.id = OLD.id AND NEW.at = OLD.at AND NEW.project = OLD.project
        AND NEW.actor = OLD.actor AND NEW.action = OLD.action
        AND NEW.detail IS NOT DISTINCT FROM OLD.detail
        AND NEW.client IS NOT DISTINCT FROM OLD.client
        AND NEW.call IS NOT DISTINCT FROM OLD.call
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'an entry of the audit log is never changed'
    USING ERRCODE = 'integrity_constraint_violation';
END $$
""",
)


def upgrade() -> None:
    """Make the tables, and the trigger anew."""
    op.create_table(
        "deletions",
        sa.Column("project", sa.String(64), primary_key=True),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("begun", sa.BigInteger, nullable=False),
        sa.Column("ended", sa.BigInteger),
        sa.Column("until", sa.BigInteger),
        sa.Column("settled", sa.Boolean, nullable=False),
        sa.Column("rewritten", sa.Boolean, nullable=False),
        sa.Column("removed", sa.Text, nullable=False),
    )
    op.create_table(
        "deletion_places",
        sa.Column("project", sa.String(64), primary_key=True),
        sa.Column("kind", sa.String(16), primary_key=True),
        sa.Column("name", sa.String(128), primary_key=True),
    )
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    for statement in ON_SQLITE if is_sqlite else ON_POSTGRES:
        op.execute(statement)
