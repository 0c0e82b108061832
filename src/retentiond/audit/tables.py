"""The tables of the log, as SQLAlchemy Core sees them; the migrations build them."""

from __future__ import annotations

import sqlalchemy as sa

metadata = sa.MetaData()

head = sa.Table(
    "log_head",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("tree", sa.LargeBinary, nullable=False),
    sa.Column("last_at", sa.Text),
)
"""One row, there from the beginning: how many leaves there are, and the tree over them. Locked by whoever appends."""

leaves = sa.Table(
    "log_leaves",
    metadata,
    sa.Column("idx", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=False),
    sa.Column("leaf", sa.LargeBinary, nullable=False),
)

handles = sa.Table(
    "log_handles",
    metadata,
    sa.Column("idx", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=False),
    sa.Column("ref", sa.LargeBinary(32), nullable=False),
    sa.Column("identity", sa.LargeBinary(32), nullable=False),
    sa.Index("log_handles_by_ref", sa.text("substr(ref, 1, 8)")),
)
"""By the index of an outcome, which record it is about; the log proves what it proves without them."""

REF_START = sa.literal_column("substr(ref, 1, 8)", sa.LargeBinary)
"""What the index on handles holds: enough to find one, and a fifth of its room."""

salts = sa.Table(
    "log_salts",
    metadata,
    sa.Column("idx", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=False),
    sa.Column("salt", sa.LargeBinary(32), nullable=False),
)
"""By the index of a batch's intent; without it the batch's commitments can never be opened again."""

work = sa.Table(
    "log_work",
    metadata,
    sa.Column("idx", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
)
"""One row per open batch, with the raw keys of its records, sealed; gone when the batch is concluded."""

checkpoints = sa.Table(
    "log_checkpoints",
    metadata,
    sa.Column("size", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=False),
    sa.Column("tree", sa.LargeBinary, nullable=False),
    sa.Column("note", sa.Text, nullable=False),
)
