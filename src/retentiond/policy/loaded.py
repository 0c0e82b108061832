"""A policy together with the file that it was read from."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from retentiond.document import Document, Loc
from retentiond.model.policy import Policy
from retentiond.model.rule import Rule


@dataclass(frozen=True, slots=True)
class LoadedPolicy:
    """A policy and the file that it was read from."""

    policy: Policy
    path: Path
    file_digest: str
    """SHA-256 (hex) of the file's bytes."""
    document: Document | None = field(default=None, repr=False, compare=False)
    """What was read; None where the policy was not read from a file."""

    def where(self, rule: Rule) -> str:
        """Return `file:line:column` of one of the policy's rules."""
        return self.place(("rules", self.policy.rules.index(rule)))

    def place(self, loc: Loc) -> str:
        """Return `file:line:column` of a place in the file; the file alone where it is not known."""
        return self.document.where(loc) if self.document else str(self.path)
