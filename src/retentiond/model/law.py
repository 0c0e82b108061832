"""The duties to keep that the law lays on a merchant: data, read from `law.yaml` beside this file."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from types import MappingProxyType

from pydantic import Field

from retentiond.document import build, read
from retentiond.model.period import Counted, RetentionPeriod, Term
from retentiond.model.written import Line, Name, Text, Written

NO_CLASS = "none"
"""In `keep_at_least: class`: no statute is behind the duty."""


class Shortened(Written):
    """A period that the law made shorter: whatever the old one had not yet let go by `since` goes by the new one."""

    from_: RetentionPeriod = Field(alias="from")
    """The longer period of old, counted like the new one."""
    since: date
    """The first day of the new law, in the zone of the policy."""
    basis: Line


class RetentionClass(Written):
    """Documents that the law has kept for one and the same time."""

    title: Text
    period: RetentionPeriod
    counted: Counted
    tax: bool
    """True where an open assessment of the tax suspends the end (section 147(3) sentence 5 AO)."""
    guard: RetentionPeriod
    """How long after the end nothing is done yet, so that neither holidays nor late postings of the turn of the year matter."""
    basis: tuple[Line, ...] = Field(min_length=1)
    shortened: Shortened | None = None
    words: tuple[Line, ...]
    """What such documents are called; a rule that speaks of them without the class gets a finding."""

    @property
    def term(self) -> Term:
        """The period with the way it is counted."""
        return Term(self.period, self.counted)


class Source(Written):
    """Where a duty is written."""

    what: Line
    as_of: date
    where: Line


class Catalogue(Written):
    """All duties that retentiond knows of."""

    catalogue: Line
    """Its name, which stands in reports."""
    as_of: date
    """The state of the law it tells."""
    classes: dict[Name, RetentionClass]
    sources: tuple[Source, ...]


LAW: Catalogue = build(read(Path(__file__).with_name("law.yaml")), Catalogue)
CLASSES: Mapping[str, RetentionClass] = MappingProxyType(LAW.classes)
