"""The one strict reader of the YAML that people write: settings and policies."""

from __future__ import annotations

from retentiond.document.building import build, problems
from retentiond.document.reader import DEEPEST, MOST_BYTES, read
from retentiond.document.value import Document, Loc, dotted

__all__ = ["DEEPEST", "MOST_BYTES", "Document", "Loc", "build", "dotted", "problems", "read"]
