"""The imap connector keeps every promise of the kit: on a real Dovecot, and on one with as few capabilities as Proton Bridge."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.dovecot import PASSWORD, Dovecot
from support.imap_world import ImapWorld, ReceivedWorld

from retentiond.testing import ConformanceKit, World


@pytest.fixture(params=[ImapWorld, ReceivedWorld])
def world(request: pytest.FixtureRequest, dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setenv("KIT_IMAP_PASSWORD", PASSWORD)
    monkeypatch.setattr("retentiond_imap.reader.PAGE", 3)
    made: ImapWorld = request.param(dovecot)
    try:
        yield made
        assert made.forbidden() == []
    finally:
        made.close()


class TestImap(ConformanceKit):
    pass
