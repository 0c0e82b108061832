"""The connector `s3`: objects in a bucket, each with all of its versions, delete markers and unfinished uploads."""

from __future__ import annotations

from collections.abc import Sequence

from retentiond.connector import Connector, Copy
from retentiond_s3.claims import beside
from retentiond_s3.deleting import S3Deleter
from retentiond_s3.options import S3Connection, S3Options, offer
from retentiond_s3.reader import S3Reader

_UNTOLD = ("replicas of the bucket", "backups of the bucket")
"""Copies that every bucket may have; reported as living for ever until the settings say how long, or that there are none."""


def _copies(connection: S3Connection, options: S3Options) -> Sequence[Copy]:
    if connection.copies is None:
        told = [Copy(name, None) for name in _UNTOLD]
    else:
        told = [Copy(copy.name, copy.lives) for copy in connection.copies]
    return [*told, *(Copy(copy.name, copy.lives) for copy in options.copies)]


connector = Connector(
    name="s3",
    title="Object storage: S3 and what speaks like it",
    connection=S3Connection,
    options=S3Options,
    offer=offer,
    reader=S3Reader,
    deleter=S3Deleter,
    copies=_copies,
    beside=beside,
    batch_size=100,
    extra="s3",
)

__all__ = ["connector"]
