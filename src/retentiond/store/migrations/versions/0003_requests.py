"""Requests of data subjects, the suppression list, reviews, ages of findings, and attestations."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables. Persons and keys are sealed; marks are keyed digests."""
    op.create_table(
        "requests",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("request", sa.Text, nullable=False, unique=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("persons", sa.LargeBinary, nullable=False),
        sa.Column("received_at", sa.BigInteger, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("case_ref", sa.Text, nullable=False),
        sa.Column("decided_at", sa.BigInteger),
        sa.Column("decided_by", sa.Text),
        sa.Column("answered_at", sa.BigInteger),
        sa.Column("rules", sa.JSON(none_as_null=True)),
        sa.Column("found", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "suppressions",
        sa.Column("mark", sa.LargeBinary, primary_key=True),
        sa.Column("case_ref", sa.Text, nullable=False),
        sa.Column("since", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "reviews",
        sa.Column("review", sa.Text, primary_key=True),
        sa.Column("rule", sa.Text, nullable=False, index=True),
        sa.Column("system", sa.Text, nullable=False),
        sa.Column("dataset", sa.Text, nullable=False),
        sa.Column("key", sa.LargeBinary, nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("due_at", sa.BigInteger, nullable=False),
        sa.Column("noted_at", sa.BigInteger, nullable=False),
        sa.Column("word", sa.Text),
        sa.Column("decided_at", sa.BigInteger),
        sa.Column("until", sa.BigInteger),
        sa.Column("reference", sa.Text),
        sa.Column("by", sa.Text),
        sa.Column("second_by", sa.Text),
        sa.Column("proposed_word", sa.Text),
        sa.Column("proposed_at", sa.BigInteger),
        sa.Column("proposed_until", sa.BigInteger),
        sa.Column("proposed_reference", sa.Text),
        sa.Column("proposed_by", sa.Text),
    )
    op.create_table(
        "findings",
        sa.Column("mark", sa.LargeBinary, primary_key=True),
        sa.Column("rule", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("first_seen", sa.BigInteger, nullable=False),
        sa.Column("last_seen", sa.BigInteger, nullable=False),
    )
    op.create_index("findings_by_rule", "findings", ["rule", "kind"])
    op.create_table(
        "attestations",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("rule", sa.Text, nullable=False, index=True),
        sa.Column("result", sa.Text, nullable=False),
        sa.Column("reference", sa.Text, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("expires", sa.BigInteger, nullable=False),
    )
