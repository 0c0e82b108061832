"""The files of deploy/systemd, judged by systemd's own tools."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.services import missing

DEPLOY = Path(__file__).parents[2] / "deploy" / "systemd"
PROGRAM = "/opt/retentiond/bin/retentiond"
"""Where the unit expects the program."""


def tool(name: str) -> str:
    found = shutil.which(name)
    return found if found is not None else missing(name)


def ask(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, check=False, capture_output=True, text=True, timeout=120)


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit as installed, with a program that exists here, beside the unit that it calls for help."""
    for file in DEPLOY.glob("*.service"):
        text = file.read_text()
        # The call for help is looked up under the name that the unit's own name gives it.
        name = file.name.replace("@.service", "@retentiond.service.service")
        (tmp_path / name).write_text(text.replace(PROGRAM, sys.executable))
    return tmp_path / "retentiond.service"


def lines(section: str) -> dict[str, str]:
    """The settings of one section of the unit; the last one wins."""
    text = (DEPLOY / "retentiond.service").read_text().partition(f"[{section}]")[2].partition("\n[")[0]
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))


@pytest.mark.parametrize("name", ["retentiond.service", "retentiond-failed@retentiond.service.service"])
def test_systemd_finds_nothing_to_complain_about(unit: Path, name: str) -> None:
    done = ask(tool("systemd-analyze"), "verify", "--man=no", "--recursive-errors=yes", str(unit.with_name(name)))
    assert (done.returncode, done.stderr) == (0, "")


def test_a_misspelt_line_would_be_noticed(unit: Path) -> None:
    """`verify` ends with 0 for unknown keys unless it is asked the right way; this shows that it is."""
    unit.write_text(unit.read_text().replace("ProtectSystem=", "ProtectSystems="))
    done = ask(tool("systemd-analyze"), "verify", "--man=no", "--recursive-errors=yes", str(unit))
    assert "ProtectSystems" in done.stderr


@pytest.mark.parametrize("name", ["retentiond.service", "retentiond-failed@retentiond.service.service"])
def test_the_service_is_exposed_by_no_more_than_1_1(unit: Path, name: str) -> None:
    done = ask(tool("systemd-analyze"), "security", "--offline=true", "--threshold=11", str(unit.with_name(name)))
    assert done.returncode == 0, done.stdout


def test_a_unit_without_hardening_would_be_noticed(unit: Path) -> None:
    unit.write_text(unit.read_text().replace("ProtectSystem=strict\n", "").replace("PrivateUsers=yes\n", ""))
    assert ask(tool("systemd-analyze"), "security", "--offline=true", "--threshold=11", str(unit)).returncode == 1


def test_the_user_can_be_made(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    done = ask(tool("systemd-sysusers"), f"--root={tmp_path}", str(DEPLOY / "sysusers.d" / "retentiond.conf"))
    assert (done.returncode, done.stderr.count("rror")) == (0, 0), done.stderr
    assert (tmp_path / "etc" / "passwd").read_text().startswith("retentiond:")


def test_the_folders_are_made_with_narrow_modes(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "passwd").write_text("root:x:0:0::/root:/bin/sh\nretentiond:x:990:990::/:/bin/false\n")
    (tmp_path / "etc" / "group").write_text("root:x:0:\nretentiond:x:990:\n")
    done = ask(tool("systemd-tmpfiles"), f"--root={tmp_path}", "--create", str(DEPLOY / "tmpfiles.d" / "retentiond.conf"))
    modes = {folder.name: folder.stat().st_mode & 0o7777 for folder in (tmp_path / "etc").rglob("*") if folder.is_dir()}
    assert modes == {"retentiond": 0o750, "policies": 0o750, "credentials": 0o700}, done.stderr


def test_what_starting_again_cannot_heal_is_not_started_again() -> None:
    assert lines("Service")["RestartPreventExitStatus"].split() == ["2", "5", "78", "243"]
    assert lines("Service")["Restart"] == "on-failure"


def test_a_service_that_gave_up_is_heard() -> None:
    assert lines("Unit")["OnFailure"] == "retentiond-failed@%n.service"
    assert int(lines("Unit")["StartLimitBurst"]) > 1


def test_the_unit_hands_over_the_boot_that_it_hides() -> None:
    assert "Environment=BOOT_ID=%b" in (DEPLOY / "retentiond.service").read_text()


def test_each_file_of_the_folder_is_told_of_in_its_readme() -> None:
    readme = (DEPLOY / "README.md").read_text()
    files = [str(file.relative_to(DEPLOY)) for file in DEPLOY.rglob("*") if file.is_file() and file.name != "README.md"]
    assert [file for file in files if file not in readme] == []
