"""The deletion log: leaves, their tree, handles, salts, open batches and checkpoints."""

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
        "log_leaves",
        sa.Column("idx", number, primary_key=True, autoincrement=False),
        sa.Column("leaf", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "log_handles",
        sa.Column("idx", number, primary_key=True, autoincrement=False),
        sa.Column("ref", sa.LargeBinary(32), nullable=False),
        sa.Column("identity", sa.LargeBinary(32), nullable=False),
    )
    # The first bytes of a handle find it; indexing all of it would cost as much room as the entry itself.
    op.create_index("log_handles_by_ref", "log_handles", [sa.text("substr(ref, 1, 8)")])
    op.create_table(
        "log_salts",
        sa.Column("idx", number, primary_key=True, autoincrement=False),
        sa.Column("salt", sa.LargeBinary(32), nullable=False),
    )
    op.create_table(
        "log_work",
        sa.Column("idx", number, primary_key=True, autoincrement=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "log_checkpoints",
        sa.Column("size", number, primary_key=True, autoincrement=False),
        sa.Column("tree", sa.LargeBinary, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
    )
