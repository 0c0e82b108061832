"""One holder at a time, and a dead one is no hindrance."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from retentiond.errors import StateError
from retentiond.lock import exclusive

HOLDER = """
import sys, pathlib
from retentiond.lock import exclusive
with exclusive(pathlib.Path(sys.argv[1]), "the daemon"):
    print("held", flush=True)
    sys.stdin.read()
"""


def _holder(path: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_who_comes_second_is_told_who_holds_it(tmp_path: Path) -> None:
    with _holder(tmp_path / "lock") as holder:
        with pytest.raises(StateError) as caught, exclusive(tmp_path / "lock", "the daemon"):
            pass
        assert f"The lock of the daemon ({tmp_path / 'lock'}) is held by process {holder.pid}; nothing was done." in str(
            caught.value
        )
        assert f"`ps {holder.pid}`" in str(caught.value)
        holder.communicate()


def test_a_killed_holder_is_no_hindrance(tmp_path: Path) -> None:
    with _holder(tmp_path / "lock") as holder:
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    with exclusive(tmp_path / "lock", "the daemon"):
        assert (tmp_path / "lock").read_text() == f"{os.getpid()}\n"


def test_a_child_process_does_not_inherit_the_lock(tmp_path: Path) -> None:
    with exclusive(tmp_path / "lock", "the daemon"):
        child = subprocess.Popen(["cat"], stdin=subprocess.PIPE, close_fds=False)
    with child, exclusive(tmp_path / "lock", "the daemon"):
        child.communicate(b"")


def test_the_same_process_cannot_hold_it_twice(tmp_path: Path) -> None:
    with (
        exclusive(tmp_path / "lock", "the daemon"),
        pytest.raises(StateError, match=f"is held by process {os.getpid()}"),
        exclusive(tmp_path / "lock", "the daemon"),
    ):
        pass


def test_it_can_be_taken_again_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), exclusive(tmp_path / "lock", "the daemon"):
        raise ZeroDivisionError
    with exclusive(tmp_path / "lock", "the daemon"):
        pass


def test_nobody_else_may_open_the_file(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.touch(0o666)
    path.chmod(0o666)
    with exclusive(path, "the daemon"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("precious")
    (tmp_path / "lock").symlink_to(tmp_path / "target")
    with pytest.raises(StateError, match="cannot be taken"), exclusive(tmp_path / "lock", "the daemon"):
        pass
    assert (tmp_path / "target").read_text() == "precious"


def test_a_missing_folder_is_a_clear_error(tmp_path: Path) -> None:
    with (
        pytest.raises(StateError, match=r"cannot be taken \(No such file or directory\)"),
        exclusive(tmp_path / "absent" / "lock", "the daemon"),
    ):
        pass
