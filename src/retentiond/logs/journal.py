"""Hands messages to systemd's journal as fields, by its native protocol: one datagram each."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Any

PLACE = "/run/systemd/journal/socket"
PATIENCE = 2.0
"""Seconds that a full journal is waited for."""


class Journal:
    """A connection to the journal. Every method raises `OSError` where it cannot be reached."""

    def __init__(self, place: str = PLACE) -> None:
        self._place = place
        self._socket = self._connected()

    def send(self, message: str, priority: int, fields: Mapping[str, Any]) -> None:
        """Send one message with syslog `priority`; each field arrives as `RETENTIOND_<NAME>`."""
        datagram = b"".join(
            (
                _field("MESSAGE", message),
                _field("PRIORITY", str(priority)),
                _field("SYSLOG_IDENTIFIER", "retentiond"),
                *(_field(f"RETENTIOND_{name.upper()}", str(value)) for name, value in fields.items() if value is not None),
            )
        )
        try:
            self._socket.send(datagram)
        except TimeoutError:
            raise
        except OSError:
            # The journal was started anew since: its socket is another one now.
            self._socket.close()
            self._socket = self._connected()
            self._socket.send(datagram)

    def close(self) -> None:
        """End the connection."""
        self._socket.close()

    def _connected(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        try:
            connection.settimeout(PATIENCE)
            connection.connect(self._place)
        except OSError:
            connection.close()
            raise
        return connection


def _field(name: str, value: str) -> bytes:
    data = value.encode("utf-8", "backslashreplace")
    if b"\n" not in data:
        return b"%s=%s\n" % (name.encode("ascii"), data)
    # A value of several lines goes with its length, or its second line could pose as a field of its own.
    return b"%s\n%s%s\n" % (name.encode("ascii"), len(data).to_bytes(8, "little"), data)
