"""Tokens and prices of jobs, the ledger, and the tiers of projects.

What ran before was never counted: it has no tokens and cost nothing.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TOKENS = ("prompt_tokens", "cached_tokens", "output_tokens")
OF_JOBS = ("tokens_estimate", "input_units", "cached_units", "output_units")


def upgrade() -> None:
    """Add the columns and make the tables."""
    for name in (*TOKENS, *OF_JOBS):
        op.add_column("jobs", _number(name, server_default="0"))
    op.add_column("jobs", sa.Column("currency", sa.String(3), nullable=False, server_default="USD"))
    for name in TOKENS:
        op.add_column("shards", _number(name, server_default="0"))
    op.create_table(
        "projects",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("tier", sa.String(64), nullable=False),
        _number("updated"),
    )
    op.create_table(
        "ledger",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("project", sa.String(64), nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("day", sa.String(10), nullable=False),
        _number("requests"),
        *(_number(name) for name in TOKENS),
        sa.Column("currency", sa.String(3), nullable=False),
        _number("cost_whole"),
        _number("cost_units"),
    )
    op.create_index("ledger_of_day", "ledger", ["day", "project", "model"])


def _number(name: str, server_default: str | None = None) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=False, server_default=server_default)
