"""A file that was renamed between a crash and the next start is not told as gone, whether or not it declares an identity."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from retentiond.audit.batch import Intent, OpenBatch
from retentiond.connector import Action, Cutoff, Target
from retentiond.connector.registry import BoundTarget
from retentiond.engine.reconcile import look
from retentiond.model.record import Outcome, OutcomeKind
from retentiond_files import connector

TARGET = Target("archive", "vouchers")
NOW = datetime(2026, 11, 25, tzinfo=UTC)
LONG_AGO = datetime(2019, 1, 1, tzinfo=UTC)
INTENT = Intent("run", "rule@0", "", "", TARGET.system, TARGET.dataset, Action.DELETE, NOW)

MTIME = ("written", {"from": "mtime"})
SIDECAR = ("issued_on", {"from": "sidecar", "dates": {"issued_on": "/issued_on"}})


@pytest.mark.parametrize(
    ("date_and_source", "identity"), [(MTIME, None), (MTIME, "mtime"), (MTIME, "key"), (SIDECAR, None), (SIDECAR, "key")]
)
@pytest.mark.parametrize("names", [["a.pdf"], ["a.pdf.json"], ["a.pdf", "a.pdf.json"]])
def test_it_is_found_under_its_new_name(
    tmp_path: Path, date_and_source: tuple[str, dict[str, Any]], identity: str | None, names: list[str]
) -> None:
    name, source = date_and_source
    for file, content in (("a.pdf", b"x"), ("a.pdf.json", b'{"issued_on": "2019-01-01"}')):
        (tmp_path / file).write_bytes(content)
        os.utime(tmp_path / file, (LONG_AGO.timestamp(), LONG_AGO.timestamp()))
    connection = connector.connection.model_validate({"root": str(tmp_path)})
    options = connector.options.model_validate(
        {"include": ["*"], "record": "file", "source": source, "quiet_minutes": 0} | ({"identity": identity} if identity else {})
    )
    bound = BoundTarget(TARGET, connector, connection, options, "")
    with bound.reader() as reader:
        refs = [ref for page in reader.find(Cutoff(name, NOW, date(2026, 1, 1)), Action.DELETE) for ref in page]
    for one in names:
        (tmp_path / one).rename(tmp_path / f"moved.{one.partition('.')[2]}")
    batch = OpenBatch("run.1", 0, INTENT, tuple(refs), b"salt")
    assert look(bound, batch, range(len(refs)), (), NOW) == [Outcome(OutcomeKind.FAILED, code="not-done")] * len(refs)
