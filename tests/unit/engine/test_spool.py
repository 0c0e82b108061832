"""The spool gives back what was put in, whatever a key holds."""

from __future__ import annotations

import tempfile
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from retentiond.engine.spool import open_spool
from retentiond.engine.values import DueRecord
from retentiond.errors import StateError
from retentiond.model.record import RecordRef
from retentiond.model.subject import Subject

moments = st.none() | st.dates() | st.datetimes(timezones=st.just(UTC))
text = st.text(st.characters(codec=None, exclude_categories=[]), max_size=20)
records = st.builds(
    DueRecord,
    st.builds(
        RecordRef,
        key=st.lists(text, min_size=1, max_size=3).map(tuple),
        dates=st.dictionaries(st.sampled_from(["a", "b", "c"]), moments),
        fingerprint=st.text("0123456789abcdef", max_size=64),
        identity=st.lists(text, max_size=2).map(tuple),
        blocked=st.booleans(),
        rows=st.integers(1, 10_000),
        facts=st.dictionaries(text, st.none() | st.booleans() | st.integers() | text, max_size=3),
        subjects=st.frozensets(st.builds(Subject, st.sampled_from(["email", "phone"]), text), max_size=3),
        contested=st.booleans(),
    ),
    st.datetimes(timezones=st.just(UTC)),
)


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(records, max_size=20), st.integers(1, 7), st.integers(1, 7))
def test_what_was_added_comes_back_in_order_and_unchanged(tmp_path: Path, added: list[DueRecord], size: int, page: int) -> None:
    with open_spool(tmp_path) as spool:
        for start in range(0, len(added), page):
            spool.add(added[start : start + page])
        batches = list(spool.batches(size))
    assert [record for batch in batches for record in batch] == added
    assert all(len(batch) == size for batch in batches[:-1])


def test_a_spool_leaves_no_file_to_be_found(tmp_path: Path) -> None:
    with open_spool(tmp_path) as spool:
        spool.add([DueRecord(RecordRef(("someone@example.org",), {"a": date(2020, 1, 1)}), datetime(2021, 1, 1, tzinfo=UTC))])
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("length", [1, 10_000])
def test_a_full_disk_is_told_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, length: int) -> None:
    """Also where closing the file meets the end of the disk once more."""
    full = Path("/dev/full").open("w+", encoding="utf-8")  # noqa: SIM115 - closed by the spool
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda *_words, **_options: full)
    record = DueRecord(RecordRef(("1" * length,)), datetime(2021, 1, 1, tzinfo=UTC))
    with pytest.raises(StateError, match="Free space"), open_spool(tmp_path) as spool:  # noqa: PT012 - whichever meets the end
        for _ in range(3):
            spool.add([record])
        list(spool.batches(1))
    assert full.closed
