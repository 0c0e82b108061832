"""What retentiond itself keeps, as a system that rules can be about; what is due there the engine does, not a role of this."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from retentiond.connector.api import Answer, ConnectionOptions, Connector, Deleter, Finding, Offer, Reader, TargetOptions
from retentiond.model.record import Action, Cutoff, Presence, RecordRef, Target

NAME = "retentiond"
WRITTEN_AT = "written_at"


class OwnConnection(ConnectionOptions):
    """Nothing to say: where retentiond keeps its own is told by the settings."""


class OwnDataset(TargetOptions):
    """Which of its own data sets."""

    kind: Literal["deletion-log"] = "deletion-log"
    """The deletion log; its entries count from the moment they were written (`written_at`)."""


class _Reader(Reader):
    """Finds nothing by the way other systems are searched."""

    def preflight(self, action: Action) -> list[Finding]:
        """Say who does the work."""
        del action
        return [
            Finding(
                "The deletion log is pruned by runs, or by `retentiond audit prune`, which shows what would go.", refuses=False
            )
        ]

    def count(self) -> int:
        """Nothing that is searched record by record."""
        return 0

    def find(self, cutoff: Cutoff, awaiting: Action) -> Iterator[Sequence[RecordRef]]:
        """Nothing."""
        del cutoff, awaiting
        return iter(())

    def undated(self, dates: Sequence[str]) -> Iterator[Sequence[RecordRef]]:
        """Nothing: every entry has its date."""
        del dates
        return iter(())

    def present(self, refs: Sequence[RecordRef]) -> list[Presence]:
        """Nothing is there record by record."""
        return [Presence.ABSENT for _ in refs]

    def explain(self, key: tuple[str, ...]) -> RecordRef | None:
        """There is no such record."""
        del key
        return None


class _Deleter(Deleter):
    """Deletes nothing: an entry of the log is no record like others."""

    def _delete(self, refs: Sequence[RecordRef]) -> list[Answer]:
        return [Answer.failed("unsupported") for _ in refs]


def _offer(_connection: OwnConnection, _options: OwnDataset) -> Offer:
    return Offer(frozenset({WRITTEN_AT}), frozenset({Action.DELETE}))


def _reader(_connection: OwnConnection, _options: OwnDataset, _target: Target) -> Reader:
    return _Reader()


def _deleter(_connection: OwnConnection, _options: OwnDataset, target: Target) -> Deleter:
    return _Deleter(target)


connector = Connector(
    name=NAME,
    title="What retentiond keeps itself",
    connection=OwnConnection,
    options=OwnDataset,
    offer=_offer,
    reader=_reader,
    deleter=_deleter,
)
