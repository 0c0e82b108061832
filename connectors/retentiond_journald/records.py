"""Makes records of journal files."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from datetime import timedelta

from retentiond.connector import ConnectorError, RecordRef
from retentiond_journald.journal import Journal, TornError, read
from retentiond_journald.options import FIRST, LAST, JournaldOptions
from retentiond_journald.tree import Place, Tree, code_of


@dataclass(frozen=True, slots=True)
class Found:
    """A journal file as it is now."""

    place: Place
    ref: RecordRef
    journal: Journal | None
    """None where the file does not read as a journal."""
    span: timedelta
    links: int

    @property
    def done_with(self) -> bool:
        """True where nobody writes to it any more."""
        return self.place.set_aside or (self.journal is not None and self.journal.archived)


def found_in(place: Place, handle: int, options: JournaldOptions) -> Found:
    """The record of an open file; raises OSError."""
    state = os.fstat(handle)
    try:
        journal = read(handle)
    except TornError:
        journal = None
    first = None if journal is None else journal.first
    last = None if journal is None else journal.last
    span = last - first if first is not None and last is not None else timedelta()
    told = first if span <= timedelta(hours=options.span_hours) else None
    decides = [
        place.key,
        state.st_ino,
        state.st_size if journal is None or journal.archived else 0,
        None if journal is None else [journal.state, journal.file_id, journal.entries],
        [None if moment is None else moment.isoformat() for moment in (first, last, told)],
    ]
    ref = RecordRef(
        (place.key,),
        {FIRST: told, LAST: last},
        hashlib.sha256(json.dumps(decides).encode()).hexdigest(),
        identity=(place.key,),
    )
    return Found(place, ref, journal, span, state.st_nlink)


def look(tree: Tree, place: Place, options: JournaldOptions) -> Found | None:
    """The journal at a place; None where there is none. Raises `ConnectorError` where it cannot be read."""
    try:
        with tree.file(place) as (_, handle):
            return found_in(place, handle, options)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConnectorError(
            f"A journal of {tree.target} below {tree.root} cannot be read (code {error.errno}). Give retentiond's user the right "
            f"to (group systemd-journal), and see that it is a plain file.",
            code_of(error),
        ) from None
