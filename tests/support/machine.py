"""A machine whose first process is a real systemd, made of namespaces; nothing of the machine outside changes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from support.services import PATIENCE, missing

T = TypeVar("T")

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]
PLACE = Path("/opt/retentiond")
"""Where the unit expects the program."""

PROGRAM = f"""\
#!{PLACE}/python/bin/{Path(sys.executable).resolve().name}
import sys
sys.path[1:1] = ["{PLACE}/src", "{PLACE}/connectors", "{PLACE}/site-packages"]
from retentiond.cli.main import main
sys.exit(main())
"""


@dataclass(frozen=True, slots=True)
class Machine:
    """A running machine."""

    pid: int
    """Its first process, as seen from outside."""

    @property
    def root(self) -> Path:
        """Its root directory, as seen from outside."""
        return Path(f"/proc/{self.pid}/root")

    def run(self, *words: str, status: int = 0) -> str:
        """Run a program on the machine as root, see that it ends with `status`, and return what it wrote."""
        done = subprocess.run(
            ["nsenter", "--target", str(self.pid), "--all", "--", *words],
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
        )
        assert done.returncode == status, f"{' '.join(words)} ended with {done.returncode}:\n{done.stdout}"
        return done.stdout

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """Make a file on the machine, with the directories it needs."""
        file = self.root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        file.chmod(mode)


@contextmanager
def booted(scratch: Path) -> Iterator[Machine]:
    """Boot a machine with retentiond in its place; skip (or, in CI, fail) the test where that cannot be."""
    hierarchy = _cgroups()
    if hierarchy is None or not Path("/lib/systemd/systemd").exists() or not _may_mount(scratch):
        missing("A systemd that may be started (as root, with cgroup2, and with the right to mount)")
    site = sysconfig.get_path("purelib")
    binds = {sys.base_prefix: "python", site: "site-packages", REPOSITORY / "src": "src", REPOSITORY / "connectors": "connectors"}
    own = hierarchy / f"retentiond-test-{os.getpid()}"
    own.mkdir()
    try:
        words = [f"{there}={PLACE}/{here}" for there, here in binds.items()]
        process = subprocess.Popen(
            [
                *("sh", "-c", 'echo 0 >"$0/cgroup.procs" && exec "$@"', str(own)),
                *("unshare", "--mount", "--pid", "--net", "--ipc", "--uts", "--cgroup", "--fork", "--kill-child"),
                *(str(HERE / "boot-systemd"), str(scratch), *words),
            ],
            stdin=subprocess.DEVNULL,
        )
        try:
            machine = Machine(awaited(lambda: _first_child(process)))
            awaited((machine.root / "run/systemd/private").is_socket)
            subprocess.run(
                ["nsenter", "--target", str(machine.pid), "--all", "systemctl", "is-system-running", "--wait"],
                check=False,
                stdout=subprocess.DEVNULL,
            )
            machine.write(f"{PLACE}/bin/retentiond", PROGRAM, 0o755)
            yield machine
            os.kill(machine.pid, signal.SIGRTMIN + 4)
            process.wait(60)
        finally:
            process.kill()
            process.wait()
    finally:
        awaited(lambda: "populated 0" in (own / "cgroup.events").read_text(encoding="ascii"))
        for folder in sorted((path for path in own.rglob("*") if path.is_dir()), reverse=True):
            folder.rmdir()
        own.rmdir()


def _may_mount(scratch: Path) -> bool:
    """True where namespaces can be made and mounted in; not so in many containers, whoever one is there."""
    words = ["unshare", "--mount", "--pid", "--net", "--cgroup", "--fork", "mount", "-t", "tmpfs", "tmpfs", str(scratch)]
    return os.geteuid() == 0 and subprocess.run(words, check=False, capture_output=True).returncode == 0


def _cgroups() -> Path | None:
    """Where the unified hierarchy is mounted, if groups can be made in it."""
    for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines():
        if " - cgroup2 " in line and os.access(line.split()[4], os.W_OK):
            return Path(line.split()[4])
    return None


def _first_child(process: subprocess.Popen[bytes]) -> int:
    """The process that `unshare` started, which is the machine's first; 0 while there is none."""
    assert process.poll() is None, "the machine did not boot; what it said is above"
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text(encoding="ascii").split()
    return int(children[0]) if children else 0


def awaited(ask: Callable[[], T]) -> T:
    """What `ask` says as soon as that is not nothing; for what happens in other processes."""
    deadline = time.monotonic() + PATIENCE
    while not (said := ask()):
        assert time.monotonic() < deadline, "what was waited for did not happen in time"
        time.sleep(0.02)
    return said
