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
        sa.Column("ref", sa.LargeBinary(32), primary_key=True),
        sa.Column("idx", sa.BigInteger, primary_key=True),
        sa.Column("identity", sa.LargeBinary(32), nullable=False),
        sqlite_with_rowid=False,
    )
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
