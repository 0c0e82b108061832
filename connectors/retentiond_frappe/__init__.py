"""The connector `frappe`: leads, deals, contacts and what else a Frappe CRM site keeps of persons."""

from __future__ import annotations

from collections.abc import Sequence

from retentiond.connector import Connector, Copy
from retentiond_frappe.deleting import FrappeDeleter
from retentiond_frappe.options import FrappeConnection, FrappeOptions, beside, offer
from retentiond_frappe.reader import FrappeReader
from retentiond_frappe.updating import FrappeAnonymizer, FrappeBlocker

__all__ = ["connector"]

_UNTOLD = ("backups of the site", "logs of the site's server and worker")
"""Copies that every site may have; reported as living for ever until the settings say how long, or that there are none."""


def _copies(connection: FrappeConnection, options: FrappeOptions) -> Sequence[Copy]:
    told = [Copy(name, None) for name in _UNTOLD]
    if connection.copies is not None:
        told = [Copy(copy.name, copy.lives) for copy in connection.copies]
    return [*told, *(Copy(copy.name, copy.lives) for copy in options.copies)]


connector = Connector(
    name="frappe",
    title="Frappe CRM, and other apps on a Frappe site",
    connection=FrappeConnection,
    options=FrappeOptions,
    offer=offer,
    reader=FrappeReader,
    deleter=FrappeDeleter,
    blocker=FrappeBlocker,
    anonymizer=FrappeAnonymizer,
    copies=_copies,
    beside=beside,
    batch_size=50,
    extra="frappe",
)
