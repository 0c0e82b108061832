"""A data set of a manifest with the questions that tests ask of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import count
from pathlib import Path
from typing import Any

from retentiond.connector import Action, Answer, Cutoff, Deleter, Permit, Presence, RecordRef, Target
from retentiond_rest import connector
from retentiond_rest.options import RestConnection, RestOptions

TARGET = Target("vendor", "records")
_NUMBERS = count(1)


@dataclass
class Dataset:
    """One data set of one system."""

    connection: RestConnection
    options: RestOptions

    def find(self, by: str, before: date = date(2026, 1, 1), awaiting: Action = Action.DELETE) -> list[RecordRef]:
        """What is due."""
        cutoff = Cutoff(by, datetime(before.year, before.month, before.day, tzinfo=UTC), before)
        with connector.reader(self.connection, self.options, TARGET) as reader:
            return [ref for page in reader.find(cutoff, awaiting) for ref in page]

    def undated(self, *dates: str) -> list[RecordRef]:
        """What has none of the dates."""
        with connector.reader(self.connection, self.options, TARGET) as reader:
            return [ref for page in reader.undated(dates) for ref in page]

    def present(self, refs: Sequence[RecordRef]) -> list[Presence]:
        """What is there of each."""
        with connector.reader(self.connection, self.options, TARGET) as reader:
            return reader.present(refs)

    def count(self) -> int:
        """How many there are."""
        with connector.reader(self.connection, self.options, TARGET) as reader:
            return reader.count()

    def deleter(self) -> Deleter:
        """The open role."""
        assert connector.deleter is not None
        return connector.deleter(self.connection, self.options, TARGET)

    def delete(self, refs: Sequence[RecordRef], role: Deleter | None = None) -> list[Answer]:
        """Delete them."""
        with role or self.deleter() as deleter:
            return deleter.delete(refs, Permit(f"batch.{next(_NUMBERS)}", Action.DELETE, TARGET, refs))


def dataset(folder: Path, url: str, manifest: str, secret: str, kind: str, **more: Any) -> Dataset:
    """The data set as settings would tell it; `more` is of the connection, `ids` and `of_kind` of the data set."""
    (folder / "secret").write_text(f"{secret}\n")
    told: Mapping[str, Any] = {"kind": kind, **{name: more.pop(name) for name in ("ids", "copies") if name in more}}
    options = connector.options.model_validate({**told, "values": more.pop("of_kind", {})})
    connection = connector.connection.model_validate(
        {"url": url, "manifest": manifest, "secret": {"file": str(folder / "secret")}, **more}
    )
    known = connector.beside(connection, options, [])
    assert isinstance(connection, RestConnection)
    assert isinstance(known, RestOptions)
    return Dataset(connection, known)
