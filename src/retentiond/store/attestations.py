"""Attestations: evidence about data that no connector reaches."""

from __future__ import annotations

import sqlalchemy as sa

from retentiond.store.outbox import Entry, insert_entry
from retentiond.store.part import Part
from retentiond.store.tables import attestations
from retentiond.store.values import Attestation, AttestationResult


class Attestations(Part):
    """The part of the store that knows what was attested."""

    def attest(self, attestation: Attestation, entry: Entry | None = None) -> None:
        """Keep an attestation; earlier ones stay as they are."""
        values = {name: getattr(attestation, name) for name in Attestation.__dataclass_fields__}
        with self._transaction() as connection:
            connection.execute(sa.insert(attestations).values(**values))
            insert_entry(connection, entry)

    def attestation_mark(self, attestation: Attestation) -> str:
        """What stands for an attestation in the deletion log (hex)."""
        told = (attestation.rule, attestation.result.value, attestation.reference, attestation.at.isoformat())
        return self._seal.mark("attestation", *told).hex()

    def attestations(self) -> list[Attestation]:
        """The newest of each rule, in order of their names."""
        newest = sa.select(sa.func.max(attestations.c.id)).group_by(attestations.c.rule)
        wanted = sa.select(attestations).where(attestations.c.id.in_(newest)).order_by(attestations.c.rule)
        with self._transaction() as connection:
            rows = connection.execute(wanted).mappings().all()
        return [
            Attestation(row["rule"], AttestationResult(row["result"]), row["reference"], row["by"], row["at"], row["expires"])
            for row in rows
        ]
