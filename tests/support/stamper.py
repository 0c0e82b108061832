"""A time-stamping authority on this machine: `openssl ts` behind a small HTTP server."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from support.certificates import Certified
from support.services import missing
from support.witness import serving_http

CONFIGURATION = """\
[tsa]
default_tsa = here
[here]
serial = {folder}/serial
crypto_device = builtin
signer_cert = {certificate}
certs = {certificate}
signer_key = {key}
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256, sha384, sha512
accuracy = secs:1
ess_cert_id_alg = sha256
"""


@dataclass
class Stamper:
    """The authority, and how it misbehaves."""

    folder: Path
    certified: Certified
    url: str = ""
    answers: list[tuple[int, bytes]] = field(default_factory=list)
    """Said in place of what is true, one after another."""

    def reply(self, query: bytes) -> bytes:
        """A time stamp for a query (DER)."""
        (self.folder / "query").write_bytes(query)
        config = self.folder / "tsa.conf"
        config.write_text(
            CONFIGURATION.format(folder=self.folder, certificate=self.certified.certificate, key=self.certified.key)
        )
        reply = self.folder / "reply"
        words = ["openssl", "ts", "-reply", "-config", str(config), "-queryfile", str(self.folder / "query"), "-out", str(reply)]
        subprocess.run(words, check=True, capture_output=True)
        return reply.read_bytes()


@contextmanager
def stamping(stamper: Stamper, tls: ssl.SSLContext | None = None) -> Iterator[Stamper]:
    """Have it listen."""
    if shutil.which("openssl") is None:
        missing("openssl")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            query = self.rfile.read(int(self.headers["Content-Length"]))
            status, answer = stamper.answers.pop(0) if stamper.answers else (200, stamper.reply(query))
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
            del format, args

    with serving_http(Handler, tls) as url:
        stamper.url = f"{url}/tsa"
        yield stamper
