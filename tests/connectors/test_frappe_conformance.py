"""The frappe connector keeps every promise of the kit, on a site that answers as Frappe 15 was seen to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.frappe_site import FrappeSite
from support.frappe_world import LeadWorld
from support.webserver import serving

from retentiond.testing import ConformanceKit, World


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setenv("KIT_FRAPPE_SECRET", "s3cret")
    monkeypatch.setattr("retentiond_frappe.reader.PAGE", 3)
    monkeypatch.setattr("retentiond_frappe.site.PAGE", 7)
    site = FrappeSite()
    with serving(site.answer) as url:
        yield LeadWorld(site, url)
    assert site.forbidden == []


class TestFrappe(ConformanceKit):
    pass
