"""What every anchor is given: a signed checkpoint, and the means to show that it continues the one before."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from retentiond.audit.note import Checkpoint, NoteError, VerifierKey, open_note
from retentiond.audit.proof import consistency_text

RootAt = Callable[[int], bytes | None]
"""The root over the log's first so many entries; None where it has fewer."""

ConsistencyOf = Callable[[int, int], Sequence[bytes]]
"""The hashes which prove that the tree of the first size is the beginning of that of the second (RFC 6962)."""


@dataclass(frozen=True, slots=True)
class Handover:
    """One checkpoint on its way to one anchor."""

    note: str
    """The signed checkpoint."""
    checkpoint: Checkpoint
    key: VerifierKey
    """The log's."""
    before: int
    """The size that this anchor was given last; 0 where it was given none."""
    root_at: RootAt = field(repr=False)
    consistency: ConsistencyOf = field(repr=False)
    state: Path
    """The state directory, where an anchor may remember something."""
    now: datetime
    """Aware UTC."""

    def proof(self, old: int) -> str:
        """That this checkpoint continues the log's first `old` entries: a C2SP witness request, which an auditor can check."""
        hashes = self.consistency(old, self.checkpoint.size) if 0 < old < self.checkpoint.size else ()
        return consistency_text(old, hashes, self.note)

    def objection(self, note: str) -> str | None:
        """What speaks against `note` being an earlier checkpoint of this very log; None where nothing does."""
        return objection(note, self.key, self.root_at)


def objection(note: str, key: VerifierKey, root_at: RootAt) -> str | None:
    """What speaks against `note` being a checkpoint of the log with this key and these roots; None where nothing does."""
    try:
        checkpoint = Checkpoint.parse(open_note(note, key))
    except NoteError:
        return "holds a checkpoint that is not signed with the log's key"
    if checkpoint.origin != key.name:
        return "holds a checkpoint of another log"
    root = root_at(checkpoint.size)
    if root is None:
        return f"holds a checkpoint of {checkpoint.size} entries, which the log does not have: it was cut or rolled back"
    if root != checkpoint.root:
        return f"tells another history of the log's first {checkpoint.size} entries: the log was rewritten"
    return None


def encoded(value: bytes) -> str:
    """Bytes in plain base64, as notes and proofs have them."""
    return base64.b64encode(value).decode("ascii")
