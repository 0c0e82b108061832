"""The store's tables, as SQLAlchemy Core sees them; the migrations build them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Instant(sa.types.TypeDecorator[datetime]):
    """An aware datetime, kept as whole microseconds since 1970 UTC: no database's zone or date format comes near it."""

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> int | None:
        """Refuse a datetime without a zone."""
        del dialect
        if value is None:
            return None
        if value.utcoffset() is None:
            raise ValueError("the store keeps aware datetimes only")
        return (value - EPOCH) // timedelta(microseconds=1)

    def process_result_value(self, value: Any | None, dialect: sa.Dialect) -> datetime | None:
        """Give back aware UTC."""
        del dialect
        return None if value is None else EPOCH + timedelta(microseconds=int(value))


metadata = sa.MetaData()

runs = sa.Table(
    "runs",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("run", sa.Text, nullable=False, unique=True),
    sa.Column("trigger", sa.Text, nullable=False),
    sa.Column("policy_digest", sa.Text, nullable=False),
    sa.Column("started_at", Instant, nullable=False),
    sa.Column("ended_at", Instant),
    sa.Column("status", sa.Text),
    sa.Column("counts", sa.JSON, nullable=False),
)

steps = sa.Table(
    "steps",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("run", sa.Text, sa.ForeignKey("runs.run"), nullable=False, index=True),
    sa.Column("at", Instant, nullable=False),
    sa.Column("rule", sa.Text, nullable=False),
    sa.Column("rule_digest", sa.Text, nullable=False),
    sa.Column("system", sa.Text, nullable=False),
    sa.Column("dataset", sa.Text, nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("population", sa.BigInteger, nullable=False),
    sa.Column("due", sa.BigInteger, nullable=False),
    sa.Column("done", sa.BigInteger, nullable=False),
    sa.Column("failed", sa.BigInteger, nullable=False),
    sa.Column("kept", sa.BigInteger, nullable=False),
    sa.Column("undatable", sa.BigInteger, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Index("steps_by_rule", "rule", "action", "at"),
)

approvals = sa.Table(
    "approvals",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("by", sa.Text, nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("expires", Instant),
    sa.Column("revoked_at", Instant),
    sa.Index("approvals_by_subject", "subject", "name", "digest"),
)

rule_versions = sa.Table(
    "rule_versions",
    metadata,
    sa.Column("rule", sa.Text, primary_key=True),
    sa.Column("digest", sa.Text, primary_key=True),
    sa.Column("mapping", sa.Text, nullable=False),
    sa.Column("deciding", sa.JSON, nullable=False),
    sa.Column("first_seen", Instant, nullable=False),
)

plans = sa.Table(
    "plans",
    metadata,
    sa.Column("digest", sa.Text, primary_key=True),
    sa.Column("rule", sa.Text, nullable=False),
    sa.Column("rule_digest", sa.Text, nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("as_of", Instant, nullable=False),
    sa.Column("made_at", Instant, nullable=False),
    sa.Column("expires_at", Instant, nullable=False),
    sa.Column("counts", sa.JSON, nullable=False),
    sa.Column("whole", sa.Boolean, nullable=False),
)

plan_records = sa.Table(
    "plan_records",
    metadata,
    sa.Column("plan", sa.Text, sa.ForeignKey("plans.digest"), primary_key=True),
    sa.Column("ref", sa.LargeBinary, primary_key=True),
    sa.Column("fingerprint", sa.LargeBinary, nullable=False),
)

clock = sa.Table(
    "clock",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("at", Instant),
    sa.Column("boot_id", sa.Text),
    sa.Column("monotonic", sa.Double),
)
"""One row, there from the beginning; all null until the first reading."""

heartbeats = sa.Table(
    "heartbeats",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("at", Instant),
    sa.Column("pid", sa.Integer),
    sa.Column("state", sa.Text),
)
"""One row, there from the beginning; all null until the first sign of life."""

holds = sa.Table(
    "holds",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("hold", sa.Text, nullable=False, unique=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("scope", sa.LargeBinary, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("placed_at", Instant, nullable=False),
    sa.Column("placed_by", sa.Text, nullable=False),
    sa.Column("review_on", sa.Text, nullable=False),
    sa.Column("expires", Instant),
    sa.Column("lifted_at", Instant),
)
"""The scope is sealed: it can name a person or a record."""

tax_years = sa.Table(
    "tax_years",
    metadata,
    sa.Column("year", sa.Integer, primary_key=True),
    sa.Column("filed_on", sa.Text),
    sa.Column("closed_on", sa.Text),
    sa.Column("audit_since", sa.Text),
    sa.Column("audit_until", sa.Text),
    sa.Column("changed_at", Instant, nullable=False),
)
"""Days are ISO 8601 text."""

outbox = sa.Table(
    "outbox",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("fields", sa.JSON, nullable=False),
)
"""Entries that the deletion log is still to take in."""
requests = sa.Table(
    "requests",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("request", sa.Text, nullable=False, unique=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("persons", sa.LargeBinary, nullable=False),
    sa.Column("received_at", Instant, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("by", sa.Text, nullable=False),
    sa.Column("case_ref", sa.Text, nullable=False),
    sa.Column("decided_at", Instant),
    sa.Column("decided_by", sa.Text),
    sa.Column("answered_at", Instant),
    sa.Column("rules", sa.JSON(none_as_null=True)),
    sa.Column("found", sa.LargeBinary, nullable=False),
)

suppressions = sa.Table(
    "suppressions",
    metadata,
    sa.Column("mark", sa.LargeBinary, primary_key=True),
    sa.Column("case_ref", sa.Text, nullable=False),
    sa.Column("since", Instant, nullable=False),
)

reviews = sa.Table(
    "reviews",
    metadata,
    sa.Column("review", sa.Text, primary_key=True),
    sa.Column("rule", sa.Text, nullable=False, index=True),
    sa.Column("system", sa.Text, nullable=False),
    sa.Column("dataset", sa.Text, nullable=False),
    sa.Column("key", sa.LargeBinary, nullable=False),
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("due_at", Instant, nullable=False),
    sa.Column("noted_at", Instant, nullable=False),
    sa.Column("word", sa.Text),
    sa.Column("decided_at", Instant),
    sa.Column("until", Instant),
    sa.Column("reference", sa.Text),
    sa.Column("by", sa.Text),
    sa.Column("second_by", sa.Text),
    sa.Column("proposed_word", sa.Text),
    sa.Column("proposed_at", Instant),
    sa.Column("proposed_until", Instant),
    sa.Column("proposed_reference", sa.Text),
    sa.Column("proposed_by", sa.Text),
)

findings = sa.Table(
    "findings",
    metadata,
    sa.Column("mark", sa.LargeBinary, primary_key=True),
    sa.Column("rule", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("first_seen", Instant, nullable=False),
    sa.Column("last_seen", Instant, nullable=False),
    sa.Index("findings_by_rule", "rule", "kind"),
)

attestations = sa.Table(
    "attestations",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("rule", sa.Text, nullable=False, index=True),
    sa.Column("result", sa.Text, nullable=False),
    sa.Column("reference", sa.Text, nullable=False),
    sa.Column("by", sa.Text, nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("expires", Instant, nullable=False),
    sa.Column("document", sa.Text),
)
