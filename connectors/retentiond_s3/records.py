"""Makes records of keys: their dates, and a fingerprint over every version, marker and upload."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from retentiond.connector import Moment, RecordRef, Target
from retentiond.connector.named import NamePattern
from retentiond_s3.claims import contested
from retentiond_s3.moments import latest, told
from retentiond_s3.options import InKey, InMetadata, LastModified, S3Options, Source
from retentiond_s3.versions import Bucket, Entry, VanishedError, Version

Heads = dict[str, dict[str, Any]]
"""The metadata of each version with data, by its number."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """A data set within its bucket."""

    target: Target
    options: S3Options
    bucket: Bucket
    _heads: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict, repr=False)
    """The metadata of versions that were asked for; that of a version with a number never changes."""

    def entries(self) -> list[Entry]:
        """Everything that is part of the data set."""
        return [entry for key, entry in self.bucket.entries(self.options.prefix).items() if self.options.holds(key)]

    def record(self, entry: Entry) -> RecordRef | None:
        """The record that lies under a key, looked up anew where it changes meanwhile; None where it went.

        Asks for the metadata of each version where dates stand there.
        """
        try:
            return record(self.options, entry, self._told(entry))
        except VanishedError:
            now = self.bucket.entry(entry.key)
            return None if now is None else record(self.options, now, self._told(now))

    def _told(self, entry: Entry) -> Heads:
        if not self.options.by_metadata:
            return {}
        return {one.number: self._head(entry.key, one) for one in entry.data}

    def _head(self, key: str, version: Version) -> dict[str, Any]:
        known = self._heads.get((key, version.number))
        if known is None:
            known = dict(self.bucket.head(key, version).get("Metadata", {}))
            if version.number != "null":
                self._heads[key, version.number] = known
        return known


def record(options: S3Options, entry: Entry, heads: Heads) -> RecordRef:
    """The record of a key: as young as the youngest of its versions, and as unknown as the least known."""
    dates = {name: _date(source, entry, heads) for name, source in options.dates.items()}
    rival = contested(options, entry.key)
    decides = [
        entry.key,
        sorted([one.number, one.modified.isoformat(), one.tag, one.size, one.marker] for one in entry.versions),
        sorted([one.number, one.began.isoformat()] for one in entry.uploads),
        sorted((name, None if moment is None else moment.isoformat()) for name, moment in dates.items()),
        rival,
    ]
    return RecordRef(
        (entry.key,),
        dates,
        hashlib.sha256(json.dumps(decides).encode()).hexdigest(),
        identity=(entry.key,) if options.identity == "key" else (),
        rows=max(1, len(entry.versions) + len(entry.uploads)),
        contested=rival,
    )


def _date(source: Source, entry: Entry, heads: Heads) -> Moment | None:
    match source:
        case InKey():
            return NamePattern.parse(source.pattern).moment(entry.key, None if source.zone is None else ZoneInfo(source.zone))
        case InMetadata():
            return latest([_in_metadata(heads[one.number], source.name) for one in entry.data])
        case LastModified():
            return _uploaded(entry)


def _uploaded(entry: Entry) -> datetime:
    """When data last came: a delete marker brings none, and counts only where nothing else is left."""
    data = [*(one.modified for one in entry.data), *(one.began for one in entry.uploads)]
    return max(data or [one.modified for one in entry.versions])


def _in_metadata(head: dict[str, Any], name: str) -> Moment | None:
    values = [text for key, text in head.items() if key.lower() == name]
    return told(str(values[0])) if len(values) == 1 else None
