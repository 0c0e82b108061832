"""The tables of the log, as SQLAlchemy Core sees them; the migrations build them."""

from __future__ import annotations

import sqlalchemy as sa

metadata = sa.MetaData()
_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")

head = sa.Table(
    "log_head",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("tree", sa.LargeBinary, nullable=False),
    sa.Column("last_at", sa.Text),
)
"""One row, there from the beginning: how many leaves there are, and the tree over them. Locked by whoever appends."""

bundles = sa.Table(
    "log_bundles",
    metadata,
    sa.Column("n", _NUMBER, primary_key=True, autoincrement=False),
    sa.Column("entries", sa.LargeBinary, nullable=False),
)
"""The leaves, 256 a row, as an entry bundle; the last row may hold fewer, and the first ones go when the log is pruned."""

kept = sa.Table(
    "log_kept",
    metadata,
    sa.Column("idx", _NUMBER, primary_key=True, autoincrement=False),
    sa.Column("leaf", sa.LargeBinary, nullable=False),
)
"""Leaves of pruned bundles that are still needed: the beginning, approvals and holds in force."""

tiles = sa.Table(
    "log_tiles",
    metadata,
    sa.Column("level", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("n", _NUMBER, primary_key=True, autoincrement=False),
    sa.Column("hashes", sa.LargeBinary, nullable=False),
)
"""The hashes of the tree's tiles, 256 a row. They never go: every proof hangs on them."""

batches = sa.Table(
    "log_batches",
    metadata,
    sa.Column("idx", _NUMBER, primary_key=True, autoincrement=False),
    sa.Column("place", sa.Text, nullable=False),
    sa.Column("kid", sa.Text, nullable=False),
    sa.Column("salt", sa.LargeBinary(32), nullable=False),
    sa.Column("first", _NUMBER),
    sa.Column("refs", sa.LargeBinary),
    sa.Column("identities", sa.LargeBinary),
    sa.Index("log_batches_by_place", "place"),
)
"""By the index of a batch's intent: what finds its records again, and opens their commitments.

`place` is `system/dataset`; `first` the index of the first outcome; `refs` and `identities` hold 32 bytes a record, in
order. The last three are empty until the batch is concluded. The log proves what it proves without this table.
"""

work = sa.Table(
    "log_work",
    metadata,
    sa.Column("idx", _NUMBER, primary_key=True, autoincrement=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
)
"""One row per open batch, with the raw keys of its records, sealed; gone when the batch is concluded."""

checkpoints = sa.Table(
    "log_checkpoints",
    metadata,
    sa.Column("size", _NUMBER, primary_key=True, autoincrement=False),
    sa.Column("note", sa.Text, nullable=False),
)
"""Every checkpoint that was ever signed."""
