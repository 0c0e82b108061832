"""Attestations: evidence about data that no connector deletes, given by persons, or by a vendor's own settings."""

from __future__ import annotations

from datetime import datetime

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
        told = [attestation.rule, attestation.result.value, attestation.reference, attestation.at.isoformat()]
        told += [] if attestation.document is None else [attestation.document]
        return self._seal.mark("attestation", *told).hex()

    def task_mark(self, *told: str) -> str:
        """What stands for a person's word about a task in the deletion log (hex)."""
        return self._seal.mark("task", *told).hex()

    def attestations(self) -> list[Attestation]:
        """The newest of each rule, by the moment it tells of, in order of their names."""
        newest = sa.func.row_number().over(
            partition_by=attestations.c.rule, order_by=(attestations.c.at.desc(), attestations.c.id.desc())
        )
        ranked = sa.select(attestations, newest.label("place")).subquery()
        wanted = sa.select(ranked).where(ranked.c.place == 1).order_by(ranked.c.rule)
        with self._transaction() as connection:
            rows = connection.execute(wanted).mappings().all()
        return [
            Attestation(
                row["rule"],
                AttestationResult(row["result"]),
                row["reference"],
                row["by"],
                row["at"],
                row["expires"],
                row["document"],
            )
            for row in rows
        ]

    def last_met(self) -> dict[str, datetime]:
        """By rule, when it was last attested as met (aware UTC); rules that never were are left out."""
        last = sa.func.max(attestations.c.at, type_=attestations.c.at.type).label("last")
        met = attestations.c.result == AttestationResult.MET.value
        wanted = sa.select(attestations.c.rule, last).where(met).group_by(attestations.c.rule)
        with self._transaction() as connection:
            return {row.rule: row.last for row in connection.execute(wanted)}
