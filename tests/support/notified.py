"""A socket that hears what a service tells its manager."""

from __future__ import annotations

import queue
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

MARK = "MARK=1"
END = "END=1"


class Ear:
    """Hears every word sent to `address`, in order."""

    def __init__(self, listener: socket.socket, name: str) -> None:
        self._listener = listener
        self._name = name
        self._arrived: queue.Queue[list[str]] = queue.Queue()
        self.address = "@" + name
        """What NOTIFY_SOCKET is to say."""
        self.heard: list[str] = []
        """All lines taken in so far."""
        # The kernel keeps few datagrams, and a full queue would hold up who speaks.
        self._thread = threading.Thread(target=self._hear)
        self._thread.start()

    def listen(self) -> list[str]:
        """The lines that were sent by now and not taken in yet."""
        self._say(MARK)
        return self._take(MARK, 30)

    def until(self, words: str, seconds: float = 30.0) -> list[str]:
        """Wait until a line holds `words`; all lines taken in on the way."""
        return self._take(words, seconds)

    def _hear(self) -> None:
        while True:
            lines = self._listener.recv(8192).decode().split("\n")
            if lines == [END]:
                return
            self._arrived.put(lines)

    def close(self) -> None:
        """Hear no more."""
        self._say(END)
        self._thread.join()

    def _say(self, line: str) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as door:
            door.sendto(line.encode(), "\0" + self._name)

    def _take(self, words: str, seconds: float) -> list[str]:
        lines: list[str] = []
        end = time.monotonic() + seconds
        while not any(words in line for line in lines):
            try:
                lines += self._arrived.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"never heard {words!r}; heard {lines}") from None
        lines = [line for line in lines if line != MARK]
        self.heard += lines
        return lines


@contextmanager
def open_ear() -> Iterator[Ear]:
    """A socket in the abstract namespace, so that its address is short and nothing stays behind."""
    name = f"retentiond-test-{uuid.uuid4().hex}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind("\0" + name)
        ear = Ear(listener, name)
        try:
            yield ear
        finally:
            ear.close()
