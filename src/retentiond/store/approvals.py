"""What named persons allowed, and took back, and what the versions of rules said that they allowed."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from retentiond.store.part import Part
from retentiond.store.tables import approvals, rule_versions
from retentiond.store.values import Approval, RuleVersion


class Approvals(Part):
    """The part of the store that knows who allowed what."""

    def approve(self, approval: Approval) -> None:
        """Keep an approval; earlier ones of the same thing stay as they are."""
        with self._transaction() as connection:
            connection.execute(
                sa.insert(approvals).values(
                    subject=approval.subject,
                    name=approval.name,
                    digest=approval.digest,
                    by=approval.by,
                    at=approval.at,
                    expires=approval.expires,
                )
            )

    def approval(self, subject: str, name: str, digest: str, now: datetime) -> Approval | None:
        """The newest approval of exactly this that stands at `now`; None where there is none, it expired or was revoked."""
        standing = (
            sa.select(approvals)
            .where(
                approvals.c.subject == subject,
                approvals.c.name == name,
                approvals.c.digest == digest,
                approvals.c.revoked_at.is_(None),
                approvals.c.expires.is_(None) | (approvals.c.expires > now),
            )
            .order_by(approvals.c.id.desc())
            .limit(1)
        )
        with self._transaction() as connection:
            row = connection.execute(standing).mappings().first()
        return None if row is None else _approval(row)

    def approvals(self) -> list[Approval]:
        """Every approval that was not revoked, oldest first; expired ones included."""
        with self._transaction() as connection:
            rows = connection.execute(
                sa.select(approvals).where(approvals.c.revoked_at.is_(None)).order_by(approvals.c.id)
            ).mappings()
            return [_approval(row) for row in rows]

    def keep_version(self, version: RuleVersion) -> None:
        """Keep a version of a rule; one that is kept already stays as it is."""
        with self._transaction() as connection:
            known = sa.select(rule_versions.c.rule).where(
                rule_versions.c.rule == version.rule, rule_versions.c.digest == version.digest
            )
            if connection.execute(known).first() is None:
                connection.execute(
                    sa.insert(rule_versions).values(
                        rule=version.rule,
                        digest=version.digest,
                        mapping=version.mapping,
                        deciding=dict(version.deciding),
                        first_seen=version.first_seen,
                    )
                )

    def versions(self) -> list[RuleVersion]:
        """Every version of every rule that was kept, the first ones first."""
        with self._transaction() as connection:
            rows = connection.execute(
                sa.select(rule_versions).order_by(rule_versions.c.first_seen, rule_versions.c.rule, rule_versions.c.digest)
            ).mappings()
            return [RuleVersion(**row) for row in rows]

    def revoke(self, subject: str, name: str, now: datetime) -> int:
        """Take back every approval of `name` that was not revoked; how many those were. The rows stay, marked."""
        with self._transaction() as connection:
            return connection.execute(
                sa.update(approvals)
                .where(approvals.c.subject == subject, approvals.c.name == name, approvals.c.revoked_at.is_(None))
                .values(revoked_at=now)
            ).rowcount


def _approval(row: sa.RowMapping) -> Approval:
    return Approval(**{name: row[name] for name in Approval.__dataclass_fields__})
