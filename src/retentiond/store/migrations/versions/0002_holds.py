"""Holds, the register of tax years, and what the deletion log is still to take in."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables. A scope is sealed; moments are whole microseconds since 1970 UTC, days ISO 8601 text."""
    op.create_table(
        "holds",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("hold", sa.Text, nullable=False, unique=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("scope", sa.LargeBinary, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("placed_at", sa.BigInteger, nullable=False),
        sa.Column("placed_by", sa.Text, nullable=False),
        sa.Column("review_on", sa.Text, nullable=False),
        sa.Column("expires", sa.BigInteger),
        sa.Column("lifted_at", sa.BigInteger),
    )
    op.create_table(
        "tax_years",
        sa.Column("year", sa.Integer, primary_key=True),
        sa.Column("filed_on", sa.Text),
        sa.Column("closed_on", sa.Text),
        sa.Column("audit_since", sa.Text),
        sa.Column("audit_until", sa.Text),
        sa.Column("changed_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "outbox",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("fields", sa.JSON, nullable=False),
    )
