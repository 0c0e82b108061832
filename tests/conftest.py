"""Fixtures that every test may ask for, and what holds for all of them."""

from __future__ import annotations

import os

import hypothesis
import pytest
from support.ci import pytest_make_collect_report, pytest_runtest_makereport
from support.dovecot import dovecot
from support.s3_world import object_storage
from support.services import database, far_from_utc, mariadb, mariadb_server, postgresql, postgresql_server, sqlite
from support.sheets import pytest_runtest_logreport, pytest_sessionfinish

__all__ = [
    "database",
    "dovecot",
    "far_from_utc",
    "mariadb",
    "mariadb_server",
    "object_storage",
    "postgresql",
    "postgresql_server",
    "pytest_make_collect_report",
    "pytest_runtest_logreport",
    "pytest_runtest_makereport",
    "pytest_sessionfinish",
    "sqlite",
]

# A busy machine is no reason to fail, and what fails has to fail again.
hypothesis.settings.register_profile("ours", deadline=None, print_blob=True)
hypothesis.settings.load_profile("ours")


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the settings, the socket or the watchdog of whoever runs it."""
    for name in list(os.environ):
        if name.startswith("RETENTIOND_") or name in {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "CREDENTIALS_DIRECTORY"}:
            monkeypatch.delenv(name)
