"""Tells systemd how the service is: the protocol of sd_notify(3), a datagram of lines to a Unix socket."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass

from retentiond.daemon.clock import steady
from retentiond.errors import StateError


@dataclass(frozen=True, slots=True)
class Notifier:
    """Where to send word; says nothing where nobody listens."""

    address: str | None
    """The socket's path, `@` first for one in the abstract namespace; None where no service manager asked for word."""
    watchdog: float | None = None
    """Seconds without a sign of life after which the service is killed; None where nobody watches."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], pid: int) -> Notifier:
        """What systemd told the process `pid` in NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID."""
        microseconds = environment.get("WATCHDOG_USEC", "")
        ours = environment.get("WATCHDOG_PID", str(pid)) == str(pid)
        watchdog = int(microseconds) / 1e6 if ours and microseconds.isdigit() and int(microseconds) else None
        return cls(environment.get("NOTIFY_SOCKET") or None, watchdog)

    def ready(self, status: str) -> None:
        """Start-up, or a reload, is complete."""
        self._send("READY=1", _status(status))

    def reloading(self) -> None:
        """Settings and policies are being read again; `ready` ends it."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={int(steady() * 1e6)}")

    def stopping(self, status: str) -> None:
        """The service is on its way out."""
        self._send("STOPPING=1", _status(status))

    def status(self, status: str) -> None:
        """One line for a person: `systemctl status` shows it."""
        self._send(_status(status))

    def alive(self) -> None:
        """Feed the watchdog."""
        if self.watchdog is not None:
            self._send("WATCHDOG=1")

    def more_time(self, seconds: float) -> None:
        """Ask to be left alone for so long while starting or stopping; may be repeated."""
        self._send(f"EXTEND_TIMEOUT_USEC={int(seconds * 1e6)}")

    def _send(self, *lines: str) -> None:
        if self.address is None:
            return
        # A leading @ stands for the zero byte of the abstract namespace.
        place = "\0" + self.address[1:] if self.address.startswith("@") else self.address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as door:
                door.connect(place)
                door.sendall("\n".join(lines).encode())
        except OSError as error:
            raise StateError(
                f"The service manager's socket NOTIFY_SOCKET cannot be reached ({error.strerror}), "
                f"so nobody would learn whether the service lives. Start it by its systemd unit, or without NOTIFY_SOCKET."
            ) from None


def _status(text: str) -> str:
    return "STATUS=" + " ".join(text.split())
