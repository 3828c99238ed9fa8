"""Jobs with their shards and segments, files with their uploads, and keys."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make every table of the first schema."""
    _create_jobs()
    _create_shards()
    _create_files()
    _create_uploads()
    _create_keys()


def _create_jobs() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("project", sa.String(64), nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("engine", sa.Text, nullable=False),
        sa.Column("display_name", sa.Text),
        sa.Column("input_form", sa.String(16), nullable=False),
        sa.Column("input_file", sa.String(64)),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("total", sa.BigInteger, nullable=False),
        sa.Column("succeeded", sa.BigInteger, nullable=False),
        sa.Column("failed", sa.BigInteger, nullable=False),
        sa.Column("planned", sa.Boolean, nullable=False),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.Column("updated", sa.BigInteger, nullable=False),
        sa.Column("ended", sa.BigInteger),
        sa.Column("expires", sa.BigInteger, nullable=False),
        sa.Column("output_file", sa.String(64)),
        sa.Column("error_code", sa.BigInteger),
        sa.Column("error_message", sa.Text),
        sa.Column("deleted", sa.Boolean, nullable=False),
    )
    op.create_index("jobs_of_project", "jobs", ["project", "created", "id"])
    op.create_index("jobs_in_state", "jobs", ["state", "created", "id"])
    op.create_index("jobs_ended", "jobs", ["ended"])
    op.create_index("jobs_deleted", "jobs", ["deleted"])


def _create_shards() -> None:
    op.create_table(
        "shards",
        sa.Column("job", sa.String(64), sa.ForeignKey("jobs.id"), primary_key=True),
        sa.Column("number", sa.BigInteger, primary_key=True),
        sa.Column("first", sa.BigInteger, nullable=False),
        sa.Column("count", sa.BigInteger, nullable=False),
        sa.Column("succeeded", sa.BigInteger, nullable=False),
        sa.Column("failed", sa.BigInteger, nullable=False),
        sa.Column("done", sa.Boolean, nullable=False),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("owner", sa.String(64)),
        sa.Column("lease_expires", sa.BigInteger),
    )
    op.create_index("shards_open", "shards", ["job", "done", "number"])
    op.create_index("shards_of_owner", "shards", ["owner"])
    op.create_table(
        "segments",
        sa.Column("job", sa.String(64), primary_key=True),
        sa.Column("shard", sa.BigInteger, primary_key=True),
        sa.Column("epoch", sa.BigInteger, primary_key=True),
        sa.Column("committed_bytes", sa.BigInteger, nullable=False),
        sa.ForeignKeyConstraint(["job", "shard"], ["shards.job", "shards.number"]),
    )


def _create_files() -> None:
    op.create_table(
        "files",
        sa.Column("project", sa.String(64), primary_key=True),
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("display_name", sa.Text),
        sa.Column("mime_type", sa.Text, nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.Column("updated", sa.BigInteger, nullable=False),
        sa.Column("expires", sa.BigInteger, nullable=False),
        sa.Column("source", sa.String(16), nullable=False),
        sa.Column("blob", sa.Text, nullable=False),
        sa.Column("deleted", sa.Boolean, nullable=False),
    )
    op.create_index("files_of_project", "files", ["project", "created", "id"])
    op.create_index("files_expiring", "files", ["expires"])
    op.create_index("files_deleted", "files", ["deleted"])


def _create_uploads() -> None:
    op.create_table(
        "uploads",
        sa.Column("id_hash", sa.String(64), primary_key=True),
        sa.Column("project", sa.String(64), nullable=False),
        sa.Column("file_id", sa.String(64)),
        sa.Column("display_name", sa.Text),
        sa.Column("mime_type", sa.Text, nullable=False),
        sa.Column("declared_bytes", sa.BigInteger),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("result_file", sa.String(64)),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.Column("expires", sa.BigInteger, nullable=False),
    )
    op.create_index("uploads_of_project", "uploads", ["project", "state"])
    op.create_index("uploads_expiring", "uploads", ["expires"])


def _create_keys() -> None:
    op.create_table(
        "keys",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("sha256", sa.String(64), nullable=False, unique=True),
        sa.Column("project", sa.String(64), nullable=False),
        sa.Column("label", sa.Text, nullable=False),
        sa.Column("prefix", sa.String(16), nullable=False),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.Column("revoked", sa.BigInteger),
    )
