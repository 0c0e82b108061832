"""Every test of the log that asks for `place` runs on SQLite and on PostgreSQL."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.deletion_log import ORIGIN

from retentiond.audit import LogPlace


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state directory."""
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture
def sqlite_place(state: Path) -> LogPlace:
    """Where a log in a SQLite file is going to be."""
    return LogPlace(state, None, ORIGIN)


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, state: Path) -> LogPlace:
    """Where a log is going to be, on either database."""
    return LogPlace(state, None if request.param == "sqlite" else request.getfixturevalue("postgresql"), ORIGIN)
