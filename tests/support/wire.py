"""A wire between an IMAP client and its server: it listens, refuses for a moment, loses an answer, or is cut."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable
from contextlib import suppress

FORBIDDEN = re.compile(rb"\S+ (EXPUNGE|CLOSE|DELETE |RENAME |SETACL |DELETEACL |UID STORE \S+ FLAGS|APPEND )", re.IGNORECASE)
"""What nobody may send who deletes or blocks exactly what was asked for."""
ACTS = re.compile(rb"\S+ UID (EXPUNGE|MOVE|COPY) ", re.IGNORECASE)


class Wire:
    """Passes everything on from a port of its own; `commands` are those that reached the server."""

    def __init__(self, host: str, port: int) -> None:
        self._server = (host, port)
        self._door = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._door.getsockname()[1]
        self._ends: list[socket.socket] = []
        self.commands: list[bytes] = []
        self.stumbles: Callable[[bytes], bool] = lambda _line: False
        """Told each command: True refuses it, once."""
        self.loses: Callable[[bytes], bool] = lambda _line: False
        """Told each command: True has it done, and cuts the wire before its answer, once."""
        self.cut = False
        """True while whoever comes is hung up on."""
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take nobody any more."""
        with suppress(OSError):
            self._door.shutdown(socket.SHUT_RDWR)
        self._door.close()

    def hang_up(self) -> None:
        """End every connection that stands, without a word."""
        for end in self._ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def stumble(self) -> None:
        """Refuse the next command for a moment."""

        def once(line: bytes) -> bool:
            if b" CAPABILITY" in line.upper():  # what a busy server still tells
                return False
            self.stumbles = lambda _line: False
            return True

        self.stumbles = once

    def lose_answer(self, which: re.Pattern[bytes] = ACTS) -> None:
        """Have the next such command done and its answer lost."""

        def once(line: bytes) -> bool:
            if which.match(line) is None:
                return False
            self.loses = lambda _line: False
            return True

        self.loses = once

    def forbidden(self) -> list[str]:
        """The commands that nobody may send."""
        return [line.split(b" ", 2)[1].decode() for line in self.commands if FORBIDDEN.match(line)]

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._door.accept()
            except OSError:
                return
            if self.cut:
                client.close()
                continue
            server = socket.create_connection(self._server)
            self._ends += [client, server]
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            lost = threading.Event()
            answered = threading.Event()
            threading.Thread(target=self._down, args=(server, client, lost, answered), daemon=True).start()
            threading.Thread(target=self._up, args=(client, server, lost, answered), daemon=True).start()

    def _up(self, client: socket.socket, server: socket.socket, lost: threading.Event, answered: threading.Event) -> None:
        with suppress(OSError), client.makefile("rb") as lines:
            for line in lines:
                if self.cut:
                    break
                if self.stumbles(line):
                    client.sendall(line.split(b" ", 1)[0] + b" NO [UNAVAILABLE] Not now.\r\n")
                    continue
                self.commands.append(line)
                if self.loses(line):
                    lost.set()
                    server.sendall(line)
                    answered.wait(10)
                    break
                server.sendall(line)
        for end in (client, server):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        client.close()

    def _down(self, server: socket.socket, client: socket.socket, lost: threading.Event, answered: threading.Event) -> None:
        with suppress(OSError):
            while data := server.recv(65536):
                if lost.is_set():
                    answered.set()
                else:
                    client.sendall(data)
        answered.set()
        with suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)
        server.close()
