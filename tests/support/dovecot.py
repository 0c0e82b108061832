"""A Dovecot of this test session, run without rights: one user per test, with a mailbox of their own.

It listens on 127.0.0.1, and with the few capabilities of Proton Bridge on 127.0.0.2, without
UIDPLUS and MOVE on 127.0.0.3, and believes to be in Asia/Kathmandu.
Where it is not installed the test is skipped by name; with `CI=true` it fails instead.
"""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.certificates import Authority
from support.services import PATIENCE, ZONE, _dies_with_us, _privileges, _program, _somebody, missing

PASSWORD = "open-sesame"  # noqa: S105 - of a server that lives for a test session

CONFIGURATION = """\
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/server.log
default_internal_user = {user}
default_login_user = {user}
default_internal_group = {group}
default_client_limit = 2000
first_valid_uid = 1
first_valid_gid = 1
protocols = imap
listen = 127.0.0.1, 127.0.0.2, 127.0.0.3
disable_plaintext_auth = no
ssl = yes
ssl_cert = <{certificate}
ssl_key = <{key}
mail_location = sdbox:~/mail
mail_fsync = never
mail_plugins = acl
auth_worker_max_count = 1
import_environment = TZ
namespace inbox {{
  inbox = yes
  separator = /
}}
plugin {{
  acl = vfile
}}
protocol imap {{
  mail_plugins = acl imap_acl
  mail_max_userip_connections = 100
}}
local 127.0.0.2 {{
  protocol imap {{
    imap_capability = IMAP4rev1 IDLE ID UNSELECT UIDPLUS MOVE
  }}
}}
auth_failure_delay = 0
local 127.0.0.3 {{
  protocol imap {{
    imap_capability = IMAP4rev1 UNSELECT
  }}
}}
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={user} gid={group} home={folder}/homes/%n allow_all_users=yes
}}
service imap-login {{
  chroot =
  service_count = 0
  process_min_avail = 1
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {tls_port}
    ssl = yes
  }}
}}
service imap {{
  service_count = 500
  process_min_avail = 2
}}
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service auth {{
  user = {user}
}}
service auth-worker {{
  user = {user}
}}
service stats {{
  chroot =
}}
"""


@dataclass(frozen=True, slots=True)
class Dovecot:
    """A running server."""

    folder: Path
    port: int
    tls_port: int
    authority: Authority
    certificate: Path
    """What it shows; signed by the authority, so that it is unknown to this machine."""
    owner: str | None

    def user(self) -> str:
        """A new user with an empty mailbox."""
        name = f"u{uuid.uuid4().hex[:12]}"
        home = self.folder / "homes" / name
        home.mkdir()
        if self.owner is not None:
            shutil.chown(home, self.owner)
        return name

    def lock_out(self, user: str) -> None:
        """Take all rights from the user in every folder that there is; it may still log in, and USER@truth sees everything."""
        for folder in (self.folder / "homes" / user / "mail" / "mailboxes").rglob("dbox-Mails"):
            (folder / "dovecot-acl").write_text(f"user={user}\n")

    def doveadm(self, *words: str) -> str:
        """What the server's own tool says."""
        done = subprocess.run(
            [str(_program("doveadm")), "-c", str(self.folder / "dovecot.conf"), *words],
            check=True,
            capture_output=True,
            text=True,
            **_privileges(self.owner),
        )
        told: str = done.stdout
        return told


def _free_port() -> int:
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        port: int = door.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def dovecot() -> Iterator[Dovecot]:
    """A Dovecot of this test session."""
    yield from serving_dovecot()


def serving_dovecot() -> Generator[Dovecot]:
    """A server, until the generator is closed."""
    program = _program("dovecot")
    if program is None:
        missing("Dovecot (dovecot-imapd)")
    owner = _somebody("nobody")
    folder = Path(tempfile.mkdtemp(prefix="rt-imap-", dir="/tmp"))
    authority = Authority(folder)
    certified = authority.server()
    port, tls_port = _free_port(), _free_port()
    (folder / "homes").mkdir()
    me = pwd.getpwnam(owner) if owner else pwd.getpwuid(os.getuid())
    text = CONFIGURATION.format(
        folder=folder,
        password=PASSWORD,
        user=me.pw_name,
        group=grp.getgrgid(me.pw_gid).gr_name,
        certificate=certified.certificate,
        key=certified.key,
        port=port,
        tls_port=tls_port,
    )
    (folder / "dovecot.conf").write_text(text)
    if owner is not None:
        for path in (folder, *folder.rglob("*")):
            shutil.chown(path, owner)
    process = subprocess.Popen(
        [str(program), "-F", "-c", str(folder / "dovecot.conf")],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={"TZ": ZONE, "PATH": "/usr/sbin:/usr/bin:/bin"},
        preexec_fn=_dies_with_us(signal.SIGTERM),  # noqa: PLW1509 - tests start servers before they start threads
        **_privileges(owner),
    )
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1) as door:
                if door.recv(4) == b"* OK":
                    break
        except OSError:
            pass
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            log = folder / "server.log"
            told = process.stderr.read().decode() if process.stderr else ""
            pytest.fail(f"Dovecot did not answer:\n{told}\n{log.read_text() if log.exists() else ''}")
        time.sleep(0.05)
    try:
        yield Dovecot(folder, port, tls_port, authority, certified.certificate, owner)
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stderr is not None:
            process.stderr.close()
        shutil.rmtree(folder, ignore_errors=True)
