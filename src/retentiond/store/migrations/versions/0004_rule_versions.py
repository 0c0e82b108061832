"""The versions of rules that were approved, so that a changed one can be compared with them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "rule_versions",
        sa.Column("rule", sa.Text, primary_key=True),
        sa.Column("digest", sa.Text, primary_key=True),
        sa.Column("mapping", sa.Text, nullable=False),
        sa.Column("deciding", sa.JSON, nullable=False),
        sa.Column("first_seen", sa.BigInteger, nullable=False),
    )
