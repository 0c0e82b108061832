"""Reads the copies that the site keeps of whatever is deleted."""

from __future__ import annotations

import json

from retentiond_frappe.site import Row

TRASH = "Deleted Document"
"""The DocType in which the site keeps a whole copy of whatever is deleted."""


def read(text: object) -> Row:
    """The record that a copy in the trash holds; empty where it cannot be read."""
    try:
        data = json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}
