"""Keys of messages, as a person types them."""

from __future__ import annotations

import json

MOMENT = 20
"""Letters of a moment such as 2026-01-15T09:30:00Z."""


def typed_key(text: str) -> tuple[str, ...]:
    """`2026-01-15T09:30:00Z <id@host> INBOX`, a JSON list of folder, Message-ID and moment, or Proton's name of the message."""
    if text.startswith("["):
        try:
            parts = json.loads(text)
        except ValueError:
            parts = None
        if isinstance(parts, list) and parts and all(isinstance(part, str) for part in parts):
            return tuple(parts)
    words = text.split(" ", 2)
    if len(words) == 3 and len(words[0]) == MOMENT:  # noqa: PLR2004 - moment, Message-ID, folder
        return (words[2], words[1], words[0])
    return (text,)
