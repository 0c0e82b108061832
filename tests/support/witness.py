"""A C2SP witness on this machine, small but real: it checks signature and proof, and remembers what it saw."""

from __future__ import annotations

import base64
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from support.history import consistency_of, proven

from retentiond.anchor.cosignature import WitnessKey
from retentiond.audit.note import Checkpoint, NoteError, VerifierKey, open_note

TIME = 1_795_000_000
"""Seconds since 1970; when this witness says that it saw something."""


@dataclass
class Witness:
    """What it knows, and how it misbehaves."""

    log: VerifierKey
    name: str = "witness.example/w"
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    seen: tuple[int, bytes] = (0, b"")
    url: str = ""
    answers: list[tuple[int, bytes]] = field(default_factory=list)
    """Said in place of what is true, one after another."""
    asked: list[tuple[str, int]] = field(default_factory=list)
    """Path and old size of each request."""
    time: int = TIME

    @property
    def vkey(self) -> str:
        return str(WitnessKey(self.name, self.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)))

    def line(self, text: str) -> str:
        """The cosignature of a checkpoint."""
        signature = self.key.sign(f"cosignature/v1\ntime {self.time}\n{text}".encode())
        blob = WitnessKey.parse(self.vkey).id + self.time.to_bytes(8) + signature
        return f"— {self.name} {base64.b64encode(blob).decode()}\n"

    def add_checkpoint(self, body: str) -> tuple[int, bytes]:
        """The protocol: status and body."""
        old, proof, note = consistency_of(body)
        self.asked.append(("add-checkpoint", old))
        if self.answers:
            return self.answers.pop(0)
        try:
            checkpoint = Checkpoint.parse(open_note(note, self.log))
        except NoteError:
            return 403, b""
        if checkpoint.origin != self.log.name:
            return 404, b""
        if old > checkpoint.size:
            return 400, b""
        size, root = self.seen
        if old != size or (old == checkpoint.size and root != checkpoint.root):
            return 409, f"{size}\n".encode()
        if not proven(old, checkpoint.size, root, checkpoint.root, proof):
            return 422, b""
        self.seen = checkpoint.size, checkpoint.root
        return 200, self.line(checkpoint.text()).encode()


@contextmanager
def serving(witness: Witness, tls: ssl.SSLContext | None = None) -> Iterator[Witness]:
    """Have it listen; over TLS where a context is given."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            status, answer = witness.add_checkpoint(body) if self.path == "/prefix/add-checkpoint" else (404, b"")
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
            del format, args

    with serving_http(Handler, tls) as url:
        witness.url = f"{url}/prefix"
        yield witness


class _Quiet(ThreadingHTTPServer):
    """A client that refuses its certificate is no news."""

    def handle_error(self, request: object, client_address: object) -> None:
        del request, client_address


@contextmanager
def serving_http(handler: type[BaseHTTPRequestHandler], tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """An HTTP server on this machine; its URL."""
    server = _Quiet(("127.0.0.1", 0), handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"{'http' if tls is None else 'https'}://localhost:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
