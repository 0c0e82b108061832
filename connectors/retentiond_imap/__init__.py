"""The connector `imap`: messages in the folders of a mailbox, on any IMAP server and behind Proton Bridge."""

from __future__ import annotations

from collections.abc import Sequence

from retentiond.connector import Connector, Copy
from retentiond_imap.blocking import ImapBlocker
from retentiond_imap.claims import beside
from retentiond_imap.deleting import ImapDeleter
from retentiond_imap.keys import typed_key
from retentiond_imap.options import ImapConnection, ImapOptions, offer
from retentiond_imap.reader import ImapReader

_UNTOLD = {
    "plain": ("copies of the message in other folders", "caches of mail programs", "backups"),
    "proton": (
        "Proton Bridge's cache and its Recovered Messages",
        "caches of mail programs",
        "retention rules of the organisation",
    ),
}
"""Copies that every mailbox may have; reported as living for ever until the settings say how long, or that there are none."""


def _copies(connection: ImapConnection, options: ImapOptions) -> Sequence[Copy]:
    if connection.copies is None:
        told = [Copy(name, None) for name in _UNTOLD[connection.flavour]]
    else:
        told = [Copy(copy.name, copy.lives) for copy in connection.copies]
    return [*told, *(Copy(copy.name, copy.lives) for copy in options.copies)]


connector = Connector(
    name="imap",
    title="Mailboxes: IMAP servers and Proton Bridge",
    connection=ImapConnection,
    options=ImapOptions,
    offer=offer,
    reader=ImapReader,
    deleter=ImapDeleter,
    blocker=ImapBlocker,
    copies=_copies,
    beside=beside,
    key=typed_key,
    batch_size=1000,
    extra="imap",
)

__all__ = ["connector"]
