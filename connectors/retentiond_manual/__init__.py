"""The connector `manual`: what only a person can delete, as tasks in a register of our own."""

from __future__ import annotations

from retentiond.connector import Connector
from retentiond_manual.deleting import ManualDeleter
from retentiond_manual.keeping import ManualTasks
from retentiond_manual.options import ManualConnection, ManualOptions, offer
from retentiond_manual.reader import ManualReader

connector = Connector(
    name="manual",
    title="What only a person can delete: tasks, with their person's word",
    connection=ManualConnection,
    options=ManualOptions,
    offer=offer,
    reader=ManualReader,
    deleter=ManualDeleter,
    tasks=ManualTasks,
    batch_size=200,
)

__all__ = ["connector"]
