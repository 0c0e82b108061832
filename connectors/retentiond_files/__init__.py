"""The connector `files`: trees of log files, exports and recordings.

A record is a whole file, or the lines of one hour in one file.
"""

from __future__ import annotations

from collections.abc import Sequence

from retentiond.connector import Connector, Copy
from retentiond_files.keys import typed_key
from retentiond_files.options import FilesConnection, FilesOptions, offer
from retentiond_files.roles import open_anonymizer, open_blocker, open_deleter, open_reader


def _copies(_connection: FilesConnection, options: FilesOptions) -> Sequence[Copy]:
    return tuple(Copy(copy.name, copy.lives) for copy in options.copies)


connector = Connector(
    name="files",
    title="Log files, exports and other files in a directory",
    connection=FilesConnection,
    options=FilesOptions,
    offer=offer,
    reader=open_reader,
    deleter=open_deleter,
    blocker=open_blocker,
    anonymizer=open_anonymizer,
    copies=_copies,
    key=typed_key,
)

__all__ = ["connector"]
