"""The deletion log: bundles of leaves, tiles of their tree, what opens batches, open batches and checkpoints."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Build the tables of an empty log."""
    number = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    head = op.create_table(
        "log_head",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("tree", sa.LargeBinary, nullable=False),
        sa.Column("last_at", sa.Text),
    )
    op.bulk_insert(head, [{"id": 1, "size": 0, "tree": b"", "last_at": None}])
    op.create_table(
        "log_bundles",
        sa.Column("n", number, primary_key=True, autoincrement=False),
        sa.Column("entries", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "log_kept",
        sa.Column("idx", number, primary_key=True, autoincrement=False),
        sa.Column("leaf", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "log_tiles",
        sa.Column("level", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("n", number, primary_key=True, autoincrement=False),
        sa.Column("hashes", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "log_batches",
        sa.Column("idx", number, primary_key=True, autoincrement=False),
        sa.Column("place", sa.Text, nullable=False),
        sa.Column("kid", sa.Text, nullable=False),
        sa.Column("salt", sa.LargeBinary(32), nullable=False),
        sa.Column("first", number),
        sa.Column("refs", sa.LargeBinary),
        sa.Column("identities", sa.LargeBinary),
    )
    op.create_index("log_batches_by_place", "log_batches", ["place"])
    op.create_table(
        "log_work",
        sa.Column("idx", number, primary_key=True, autoincrement=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "log_checkpoints",
        sa.Column("size", number, primary_key=True, autoincrement=False),
        sa.Column("note", sa.Text, nullable=False),
    )
