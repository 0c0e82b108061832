"""A host whose nginx, Apache and application write logs for weeks, and whose logrotate turns them over, in some seconds.

The servers are Debian's own; libfaketime gives all of them the time that a file names, so every line is as they write it.
"""

from __future__ import annotations

import gzip
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO

from support.services import missing

START = datetime(2026, 3, 1, tzinfo=UTC)
CLIENT = "127.0.0.17"
PATIENCE = 20.0
PROGRAMS = {"nginx": "nginx", "apache2": "Apache", "logrotate": "logrotate"}
MARK = re.compile(rb"/d(\d+)h(\d+)(?!\d)")
"""How every request, and every line about it, tells its day and its hour."""

NGINX = """
{user} daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {logs}/nginx/error.log error;
env LD_PRELOAD; env FAKETIME_TIMESTAMP_FILE; env FAKETIME_NO_CACHE; env FAKETIME_DONT_FAKE_MONOTONIC; env TZ;
events {{ }}
http {{
  access_log {logs}/nginx/access.log combined;
  client_body_temp_path {folder}/1; proxy_temp_path {folder}/2; fastcgi_temp_path {folder}/3;
  uwsgi_temp_path {folder}/4; scgi_temp_path {folder}/5;
  server {{ listen 127.0.0.1:{port}; root {folder}/www; }}
}}
"""
APACHE = """
ServerRoot {folder}
ServerName localhost
PidFile {folder}/apache.pid
DefaultRuntimeDir {folder}
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
{user}
Listen 127.0.0.1:{port}
StartServers 1
DocumentRoot {folder}/www
LogLevel info
ErrorLog {logs}/apache/error.log
LogFormat "%h %l %u %t \\"%r\\" %>s %O \\"%{{Referer}}i\\" \\"%{{User-Agent}}i\\"" combined
CustomLog {logs}/apache/access.log combined
"""
LOGROTATE = """
{logs}/nginx/*.log {{
  daily
  rotate 30
  compress
  delaycompress
  notifempty
  create 0640
  sharedscripts
  postrotate
    kill -USR1 $(cat {folder}/nginx.pid)
  endscript
}}
{logs}/apache/*.log {{
  daily
  rotate 30
  compress
  delaycompress
  notifempty
  create 0640
  sharedscripts
  postrotate
    kill -USR1 $(cat {folder}/apache.pid)
  endscript
}}
{logs}/app/*.log {{
  daily
  rotate 30
  compress
  delaycompress
  notifempty
  copytruncate
}}
"""


class Host:
    """The running host."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.logs = folder / "logs"
        for name in ("logs/nginx", "logs/apache", "logs/app", "www"):
            (folder / name).mkdir(parents=True)
        (folder / "www").chmod(0o755)
        self.clock = folder / "clock"
        self.ports = {"nginx": _free_port(), "apache": _free_port()}
        self.app: dict[str, IO[str]] = {
            name: (self.logs / "app" / name).open("a", encoding="utf-8", buffering=1) for name in ("app.log", "events.log")
        }

    @property
    def time(self) -> dict[str, str]:
        """The environment in which a program believes the host's clock."""
        return {
            "PATH": os.environ["PATH"] + ":/usr/sbin",
            "TZ": "UTC",
            "LD_PRELOAD": str(_faketime()),
            "FAKETIME_TIMESTAMP_FILE": str(self.clock),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }

    def set(self, at: datetime) -> None:
        """Set the host's clock."""
        beside = self.folder / "clock.new"
        beside.write_text(f"@{at:%Y-%m-%d %H:%M:%S}\n")
        beside.replace(self.clock)

    def visit(self, at: datetime) -> None:
        """Somebody visits both web servers at this time, and the application tells of it."""
        self.set(at)
        day, hour = (at - START).days, at.hour
        for port in self.ports.values():
            ask(port, f"/d{day}h{hour}")
        self.app["app.log"].write(f"{at.isoformat()} INFO somebody at {CLIENT} asked for /d{day}h{hour}\n")
        told = {"level": "info", "client": CLIENT, "path": f"/d{day}h{hour}", "time": at.isoformat()}
        self.app["events.log"].write(json.dumps(told) + "\n")
        for file in self.logs.glob("*/*.log"):
            os.utime(file, (at.timestamp(), at.timestamp()))

    def rotate(self, at: datetime, *words: str) -> None:
        """Let logrotate do its daily work at this time."""
        self.set(at)
        config = self.folder / "logrotate.conf"
        command = ["logrotate", *words, "-s", str(self.folder / "logrotate.state"), str(config)]
        subprocess.run(command, env=self.time, check=True, capture_output=True, timeout=PATIENCE)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Both servers run within."""
        root = os.geteuid() == 0
        words = {"folder": self.folder, "logs": self.logs, "modules": "/usr/lib/apache2/modules"}
        nginx = self.folder / "nginx.conf"
        nginx.write_text(NGINX.format(user="user root;" if root else "", port=self.ports["nginx"], **words))
        apache = self.folder / "apache.conf"
        user = "User nobody\nGroup nogroup" if root else ""
        apache.write_text(APACHE.format(user=user, port=self.ports["apache"], **words))
        (self.folder / "logrotate.conf").write_text(LOGROTATE.format(**words))
        (self.folder / "logrotate.conf").chmod(0o600)
        commands = {
            "nginx": ["nginx", "-p", str(self.folder), "-c", str(nginx), "-e", str(self.folder / "start.log")],
            "apache": ["apache2", "-f", str(apache), "-DFOREGROUND"],
        }
        started = [subprocess.Popen(command, env=self.time, stderr=subprocess.DEVNULL) for command in commands.values()]
        try:
            for name, process in zip(commands, started, strict=True):
                until(lambda port=self.ports[name], process=process: process.poll() is None and _answers(port))  # type: ignore[misc]
            yield
        finally:
            for process in started:
                process.send_signal(signal.SIGTERM)
            for process in started:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(PATIENCE)
                if process.poll() is None:
                    process.kill()
            for file in self.app.values():
                file.close()


def told(folder: Path) -> set[tuple[int, int]]:
    """The day and hour of every visit of which something is left in these logs."""
    found = set()
    for file in folder.iterdir():
        content = file.read_bytes()
        if file.suffix == ".gz":
            content = gzip.decompress(content)
        found |= {(int(day), int(hour)) for day, hour in MARK.findall(content)}
    return found


def ask(port: int, path: str) -> int:
    """Visit a server, as a client with an address of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE, source_address=(CLIENT, 0))
    try:
        connection.request("GET", path, headers={"Connection": "close"})
        return connection.getresponse().status
    finally:
        connection.close()


def until(true: Callable[[], bool]) -> None:
    """Wait until it is so."""
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, "the servers do not do it"
        time.sleep(0.02)


@contextmanager
def weeks(days: int, hours: tuple[tuple[int, int], ...]) -> Iterator[Host]:
    """A host that has run for so many days, with visits at these hours and minutes, and that still runs."""
    for program, name in PROGRAMS.items():
        if shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin") is None:
            missing(name)
    _faketime()
    with tempfile.TemporaryDirectory(prefix="retentiond-test-") as folder:
        Path(folder).chmod(0o755)  # Apache's workers are nobody, and look at the clock, too
        host = Host(Path(folder))
        host.set(START)
        with host.running():
            host.rotate(START)
            for day in range(days):
                for hour, minute in hours:
                    host.visit(START + timedelta(days=day, hours=hour, minutes=minute))
                host.rotate(START + timedelta(days=day + 1, minutes=5))
            yield host


def _faketime() -> Path:
    found = next(iter(Path("/usr/lib").glob("*/faketime/libfaketime.so.1")), None)
    if found is None:
        missing("libfaketime")
    return found


def _free_port() -> int:
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        port: int = door.getsockname()[1]
        return port


def _answers(port: int) -> bool:
    with socket.socket() as knock:
        return knock.connect_ex(("127.0.0.1", port)) == 0
