"""What tests of anchors share."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state directory."""
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    return folder
