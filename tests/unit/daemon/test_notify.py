"""Word to systemd, heard by a socket of our own."""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from retentiond.daemon.notify import Notifier
from retentiond.errors import StateError


@pytest.fixture(params=["path", "abstract"])
def ear(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, socket.socket]]:
    """The address of a socket, and the socket; once in the file system and once in the abstract namespace."""
    address = str(tmp_path / "notify") if request.param == "path" else f"@retentiond-test-{uuid.uuid4().hex}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind("\0" + address[1:] if address.startswith("@") else address)
        listener.settimeout(5)
        yield address, listener


def test_every_word_is_one_datagram_of_lines(ear: tuple[str, socket.socket]) -> None:
    address, listener = ear
    notifier = Notifier(address, watchdog=60)
    notifier.ready("Idle ✓")
    notifier.status("two\nlines")
    notifier.alive()
    notifier.more_time(1.5)
    notifier.stopping("Bye.")
    heard = [listener.recv(4096).decode() for _ in range(5)]
    assert heard == [
        "READY=1\nSTATUS=Idle ✓",
        "STATUS=two lines",
        "WATCHDOG=1",
        "EXTEND_TIMEOUT_USEC=1500000",
        "STOPPING=1\nSTATUS=Bye.",
    ]


def test_a_reload_tells_when_it_began(ear: tuple[str, socket.socket]) -> None:
    address, listener = ear
    Notifier(address).reloading()
    first, second = listener.recv(4096).decode().split("\n")
    assert first == "RELOADING=1"
    assert second.removeprefix("MONOTONIC_USEC=").isdigit()


def test_the_watchdog_is_not_fed_where_nobody_watches(ear: tuple[str, socket.socket]) -> None:
    address, listener = ear
    Notifier(address).alive()
    listener.setblocking(False)
    with pytest.raises(BlockingIOError):
        listener.recv(4096)


def test_nothing_is_said_where_nobody_listens() -> None:
    Notifier(None, watchdog=1).ready("Idle")


def test_a_socket_that_is_gone_is_an_error_and_not_silence(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="NOTIFY_SOCKET cannot be reached"):
        Notifier(str(tmp_path / "gone")).ready("Idle")


@pytest.mark.parametrize(
    ("environment", "watchdog"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "60000000"}, 60.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": str(os.getpid())}, 60.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_the_watchdog_counts_only_where_it_is_meant_for_this_process(environment: dict[str, str], watchdog: float | None) -> None:
    notifier = Notifier.from_environment({"NOTIFY_SOCKET": "/run/x", **environment}, os.getpid())
    assert notifier == Notifier("/run/x", watchdog)
