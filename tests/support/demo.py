"""The demo, played once for all tests that look at it."""

from __future__ import annotations

import atexit
import functools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROGRAM = (sys.executable, "-m", "retentiond.cli.main")


@dataclass(frozen=True, slots=True)
class Demo:
    """A demo that was played to its end."""

    folder: Path
    status: int
    stdout: str
    stderr: str

    def run(self, *words: str, status: int = 0) -> str:
        """Type a command on the demo's state, and see that it ends with `status`; what it wrote to stdout."""
        done = start(*words, settings=self.folder / "retentiond.yaml")
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout

    def json(self, *words: str, status: int = 0) -> Any:
        return json.loads(self.run(*words, "--json", status=status))


def start(*words: str, settings: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the program in a pipe."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RETENTIOND_")}
    if settings is not None:
        environment["RETENTIOND_SETTINGS"] = str(settings)
    return subprocess.run([*PROGRAM, *words], env=environment, capture_output=True, text=True, check=False, timeout=300)


@functools.cache
def played() -> Demo:
    """The one demo of this process; its folder goes when the process ends."""
    folder = Path(tempfile.mkdtemp(prefix="retentiond-test-demo-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    done = start("demo", "--keep", str(folder / "demo"))
    return Demo(folder / "demo", done.returncode, done.stdout, done.stderr)
