"""The digest of the document that an attestation rests on."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; of what was attested before no document is known."""
    op.add_column("attestations", sa.Column("document", sa.Text))
