"""The connector `journald`: the files of systemd's journal, each deleted as a whole once it is archived."""

from __future__ import annotations

from collections.abc import Sequence

from retentiond.connector import Connector, Copy
from retentiond_journald.deleting import JournaldDeleter
from retentiond_journald.options import JournaldConnection, JournaldOptions, offer
from retentiond_journald.reader import JournaldReader


def _copies(_connection: JournaldConnection, options: JournaldOptions) -> Sequence[Copy]:
    return tuple(Copy(copy.name, copy.lives) for copy in options.copies)


connector = Connector(
    name="journald",
    title="The journal of systemd",
    connection=JournaldConnection,
    options=JournaldOptions,
    offer=offer,
    reader=JournaldReader,
    deleter=JournaldDeleter,
    copies=_copies,
    batch_size=50,
)

__all__ = ["connector"]
