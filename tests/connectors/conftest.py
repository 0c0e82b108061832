"""What holds for all tests of connectors."""

from __future__ import annotations

import pytest
from support.sheets import told_of

from retentiond.testing import ConformanceKit


@pytest.fixture(autouse=True)
def _told_for_the_data_sheet(request: pytest.FixtureRequest) -> None:
    """Each test of the conformance kit tells which connector it is about, and in which case."""
    if request.cls is not None and issubclass(request.cls, ConformanceKit):
        case = request.node.callspec.id if hasattr(request.node, "callspec") else "as it is"
        request.node.user_properties.append(("sheet", told_of(request.getfixturevalue("world"), case)))
