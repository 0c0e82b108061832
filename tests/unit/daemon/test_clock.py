"""The one place that reads the clock."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from freezegun import freeze_time

from retentiond.daemon.clock import read_clock, seconds_since_boot, utc_now
from retentiond.errors import StateError


@pytest.mark.usefixtures("far_from_utc")
def test_the_present_moment_is_aware_utc_whatever_the_zone_of_the_machine() -> None:
    with freeze_time("2026-11-24 14:00:00"):
        assert utc_now() == datetime(2026, 11, 24, 14, tzinfo=UTC)
        assert utc_now().tzinfo is UTC


def test_a_reading_tells_wall_clock_boot_and_time_since_boot(tmp_path: Path) -> None:
    (tmp_path / "boot_id").write_text("3C7DFBDD-d0aa-4e2a-a50e-b734b081c710\n")
    before = seconds_since_boot()
    reading = read_clock(tmp_path / "boot_id")
    assert reading.boot_id == "3c7dfbddd0aa4e2aa50eb734b081c710"
    assert before <= reading.monotonic <= seconds_since_boot()


def test_the_kernel_tells_which_boot_this_is() -> None:
    assert len(read_clock().boot_id) == 32
    assert read_clock().boot_id == read_clock().boot_id


def test_where_the_kernel_hides_the_boot_the_unit_tells_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOOT_ID", "3c7dfbddd0aa4e2aa50eb734b081c710")
    assert read_clock(tmp_path / "missing").boot_id == "3c7dfbddd0aa4e2aa50eb734b081c710"


def test_without_any_word_about_the_boot_there_is_no_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BOOT_ID", raising=False)
    with pytest.raises(StateError, match=r"which boot .* so a clock that jumped could not be noticed"):
        read_clock(tmp_path / "missing")
