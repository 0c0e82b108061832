"""Finds records in a bucket, over a client that lets no other than reading calls through."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice

from retentiond.connector import Action, Cutoff, Finding, Presence, Reader, RecordRef, Target
from retentiond_s3.client import open_client
from retentiond_s3.moments import order
from retentiond_s3.options import S3Connection, S3Options
from retentiond_s3.preflight import preflight
from retentiond_s3.records import Dataset
from retentiond_s3.versions import Bucket

PAGE = 500


class S3Reader(Reader):
    """A reader of one data set. A search keeps some 2 kB per record, to bring the oldest first."""

    def __init__(self, connection: S3Connection, options: S3Options, target: Target) -> None:
        self._client = open_client(connection, writes=False)
        self._dataset = Dataset(target, options, Bucket(self._client, options.bucket))

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()

    def preflight(self, action: Action) -> list[Finding]:
        """Look at the bucket, at locks, and at what makes copies; changes nothing."""
        return preflight(self._dataset, action)

    def count(self) -> int:
        """How many keys, undated ones and those with nothing but a delete marker or an unfinished upload included."""
        return len(self._dataset.entries())

    def find(self, cutoff: Cutoff, awaiting: Action) -> Iterator[Sequence[RecordRef]]:
        """Pages of records before the cutoff, oldest first; the whole prefix is listed before the first page."""
        del awaiting
        found = []
        for ref in self._refs():
            moment = ref.dates.get(cutoff.by)
            if moment is not None and cutoff.admits(ref.dates):
                found.append((order(moment), ref.key, ref))
        found.sort(key=lambda one: one[:2])
        yield from _pages([ref for _, _, ref in found])

    def undated(self, dates: Sequence[str]) -> Iterator[Sequence[RecordRef]]:
        """Pages of records without any of these dates."""
        yield from _pages([ref for ref in self._refs() if all(ref.dates.get(name) is None for name in dates)])

    def present(self, refs: Sequence[RecordRef]) -> list[Presence]:
        """What is there of each record; a delete marker or an unfinished upload is not nothing."""
        there = {key: self._dataset.bucket.entry(key) for key in dict.fromkeys(ref.key[0] for ref in refs)}
        return [Presence.ABSENT if there[ref.key[0]] is None else Presence.PRESENT for ref in refs]

    def explain(self, key: tuple[str, ...]) -> RecordRef | None:
        """The record under the key as it is now, where it is part of the data set."""
        if len(key) != 1 or not key[0] or not self._dataset.options.holds(key[0]):
            return None
        entry = self._dataset.bucket.entry(key[0])
        return None if entry is None else self._dataset.record(entry)

    def now(self) -> datetime | None:
        """The storage's clock."""
        return self._dataset.bucket.now()

    def _refs(self) -> Iterator[RecordRef]:
        refs = (self._dataset.record(entry) for entry in self._dataset.entries())
        return (ref for ref in refs if ref is not None)


def _pages(refs: Sequence[RecordRef]) -> Iterator[Sequence[RecordRef]]:
    rest = iter(refs)
    while page := list(islice(rest, PAGE)):
        yield page
