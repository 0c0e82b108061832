"""A data set of files in a temporary directory, and the engine's way of asking for it."""

from __future__ import annotations

import gzip
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from retentiond.connector import Action, Answer, Cutoff, Finding, Permit, Presence, RecordRef, Target
from retentiond_files import connector
from retentiond_files.options import FilesConnection, FilesOptions

TARGET = Target("webserver", "access-log")
LONG_AGO = datetime(2025, 3, 1, 12, tzinfo=UTC)
"""When files of these worlds were last written, unless a test says otherwise."""

FAR = datetime(2200, 1, 1, tzinfo=UTC)


def line(at: datetime, text: str = "GET / HTTP/1.1", address: str = "192.0.2.17") -> bytes:
    """A line as nginx and apache write it."""
    return f'{address} - - [{at.strftime("%d/%b/%Y:%H:%M:%S %z")}] "{text}" 200 17 "-" "test"\n'.encode()


def cutoff(before: datetime = FAR, by: str = "entry", before_date: date | None = None) -> Cutoff:
    return Cutoff(by, before, before_date or before.date())


@dataclass
class World:
    """One data set, and what a test does to it."""

    root: Path
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def connection(self) -> FilesConnection:
        return FilesConnection.model_validate({"root": str(self.root)})

    @property
    def options(self) -> FilesOptions:
        return FilesOptions.model_validate({"include": ["**"], **self.settings})

    def write(self, name: str, content: bytes | Sequence[bytes], written: datetime = LONG_AGO) -> Path:
        """A file below the root; gzip if its name says so."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        data = content if isinstance(content, bytes) else b"".join(content)
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        os.utime(path, (written.timestamp(), written.timestamp()))
        return path

    def count(self) -> int:
        with connector.reader(self.connection, self.options, TARGET) as reader:
            return reader.count()

    def find(self, bound: Cutoff | None = None, awaiting: Action = Action.DELETE) -> list[RecordRef]:
        with connector.reader(self.connection, self.options, TARGET) as reader:
            return [ref for page in reader.find(bound or cutoff(by=self.options.date_name), awaiting) for ref in page]

    def undated(self) -> list[RecordRef]:
        with connector.reader(self.connection, self.options, TARGET) as reader:
            return [ref for page in reader.undated([self.options.date_name]) for ref in page]

    def present(self, refs: Sequence[RecordRef]) -> list[Presence]:
        with connector.reader(self.connection, self.options, TARGET) as reader:
            return reader.present(refs)

    def explain(self, *key: str) -> RecordRef | None:
        with connector.reader(self.connection, self.options, TARGET) as reader:
            return reader.explain(key)

    def preflight(self, action: Action = Action.DELETE) -> list[Finding]:
        with connector.reader(self.connection, self.options, TARGET) as reader:
            return reader.preflight(action)

    def delete(self, refs: Sequence[RecordRef]) -> list[Answer]:
        assert connector.deleter is not None
        with connector.deleter(self.connection, self.options, TARGET) as deleter:
            return deleter.delete(refs, Permit("1.1", Action.DELETE, TARGET, refs))

    def block(self, refs: Sequence[RecordRef]) -> list[Answer]:
        assert connector.blocker is not None
        with connector.blocker(self.connection, self.options, TARGET) as blocker:
            return blocker.block(refs, Permit("1.1", Action.BLOCK, TARGET, refs))

    def anonymize(self, refs: Sequence[RecordRef]) -> list[Answer]:
        assert connector.anonymizer is not None
        with connector.anonymizer(self.connection, self.options, TARGET) as anonymizer:
            return anonymizer.anonymize(refs, Permit("1.1", Action.ANONYMIZE, TARGET, refs))


def lines_world(root: Path, **settings: Any) -> World:
    """Records are the lines of one hour in nginx's format."""
    return World(root, {"record": "line", "source": {"from": "content", "format": "nginx-combined"}, **settings})


def files_world(root: Path, **settings: Any) -> World:
    """Records are whole files, dated by their mtime."""
    return World(root, {"record": "file", "source": {"from": "mtime"}, **settings})


def hours(count: int, start: datetime = datetime(2025, 1, 10, tzinfo=UTC)) -> list[datetime]:
    """`count` instants, an hour apart."""
    return [start + timedelta(hours=number) for number in range(count)]


def leftovers(root: Path) -> list[Path]:
    return list(root.rglob(".retentiond-*"))
