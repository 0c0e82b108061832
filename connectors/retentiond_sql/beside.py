"""Lets a data set know what the others of its system claim of the same tables."""

from __future__ import annotations

from collections.abc import Sequence

from retentiond.connector import Target
from retentiond_sql.deciding import Claim
from retentiond_sql.options import SqlConnection, SqlDataset


class ContestedDataset(SqlDataset):
    """A data set of which others of the system may claim the same records. Never written in settings: `beside` makes it."""

    rivals: tuple[Claim, ...]
    """A field, so that a changed rival changes the digest of how this data set is reached: other records may go then."""

    def others(self) -> tuple[Claim, ...]:
        """What other data sets of the system claim of the same tables."""
        return (*self.rivals, *super().others())


def beside(_connection: SqlConnection, options: SqlDataset, others: Sequence[tuple[Target, SqlDataset]]) -> SqlDataset:
    """The options with what the other data sets of the system claim of the same tables."""
    own = options.claim()
    # Schemas are told apart once the database is asked; capitals may count, or not.
    names = {_bare(table) for table in own.tables}
    claims = sorted((other.claim() for _, other in others), key=lambda claim: claim.model_dump_json())
    near = [claim for claim in claims if any(_bare(table) in names for table in claim.tables)]
    rivals = tuple(claim for claim in near if own.contests(claim))
    told = {name: getattr(options, name) for name in SqlDataset.model_fields}
    knowing = ContestedDataset.model_construct(**told, rivals=rivals) if rivals else options.model_copy()
    knowing._aside = tuple(claim for claim in near if claim not in rivals)  # noqa: SLF001 - its own kind
    return knowing


def _bare(table: str) -> str:
    return table.rpartition(".")[2].casefold()
