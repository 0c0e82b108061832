"""The imap connector keeps every promise of the kit: on Dovecot, with few capabilities, and behind the fake of Proton Bridge."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support import bridge_world
from support.bridge_world import BridgeWorld
from support.dovecot import PASSWORD
from support.imap_world import ImapWorld, ReceivedWorld

from retentiond.testing import ConformanceKit, World


@pytest.fixture(params=["dovecot", "few-capabilities", "bridge"])
def world(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr("retentiond_imap.reader.PAGE", 3)
    made: ImapWorld | BridgeWorld
    if request.param == "bridge":
        monkeypatch.setenv("KIT_IMAP_PASSWORD", bridge_world.PASSWORD)
        made = BridgeWorld()
    else:
        monkeypatch.setenv("KIT_IMAP_PASSWORD", PASSWORD)
        server = request.getfixturevalue("dovecot")
        made = ImapWorld(server) if request.param == "dovecot" else ReceivedWorld(server)
    try:
        yield made
        assert list(made.forbidden()) == []
    finally:
        made.close()


class TestImap(ConformanceKit):
    pass
