"""The result goes to stdout and everything else to stderr, whatever the records are called."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import subprocess
from pathlib import Path

import pytest
from support.program import NEW, OLD, PROGRAM, UNDATED, Office, open_office

CANARIES = (
    "anna.beispiel@kunden.example",
    "\x1b[2J\x1b[31mrot",
    "[bold]Frau Muster[/bold]",
    "\u202ekehrt",
    "O'Brien; DROP TABLE letters",
    "a\nb",
)
READING = (
    ["plan", "--json"],
    ["status", "--json"],
    ["audit", "list", "--limit", "0", "--json"],
    ["audit", "verify", "--json"],
    ["systems", "--json"],
    ["connectors", "--json"],
    ["policy", "schema"],
)


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Office:
    letters = [(f"{canary} {days}", days) for canary in CANARIES for days in (OLD, NEW, UNDATED)]
    office = open_office(tmp_path_factory.mktemp("pipes"), letters)
    office.run("approve", "rule", "--all", "--by", "staff-1")
    return office


def _on_terminal(office: Office, *words: str, **environment: str) -> tuple[int, str]:
    """Run the program with a terminal on stdout and stderr; its status and everything it wrote."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [*PROGRAM, *words],
        env=office.environment(TERM="xterm-256color", COLUMNS="100", **environment),
        stdout=slave,
        stderr=slave,
    )
    os.close(slave)
    written = b""
    while True:
        select.select([master], [], [], 60)
        try:
            piece = os.read(master, 65536)
        except OSError:  # the other end was closed
            break
        if not piece:
            break
        written += piece
    os.close(master)
    return process.wait(60), written.decode()


@pytest.mark.parametrize("words", READING, ids=" ".join)
def test_json_is_one_value_on_stdout_and_nothing_else(office: Office, words: list[str]) -> None:
    done = office.run(*words, status=1 if words[0] == "status" else 0)
    assert isinstance(json.loads(done.stdout), dict)
    assert done.stdout.isascii()
    assert done.stderr == ""


@pytest.mark.parametrize("words", [*READING, ["plan"], ["audit", "list"], ["status"], ["check", "--live"]], ids=" ".join)
def test_no_key_is_told_unasked_in_a_pipe(office: Office, words: list[str]) -> None:
    done = office.run(*words, status=1 if words[0] == "status" else 0)
    told = done.stdout + done.stderr
    assert not [canary for canary in CANARIES if canary in told or json.dumps(canary)[1:-1] in told]
    assert "Ada Muster" not in told
    assert "\x1b" not in told


def test_undatable_records_are_named_on_a_terminal_with_their_control_characters_shown(office: Office) -> None:
    status, told = _on_terminal(office, "plan", NO_COLOR="1")
    assert status == 0
    assert "anna.beispiel@kunden.example None" in told
    assert r"\x1b[2J\x1b[31mrot" in told or "[bold]Frau Muster[/bold]" in told
    assert "\x1b[2J" not in told
    assert "\u202e" not in told


def test_explain_names_the_record_that_was_asked_for_safely(office: Office) -> None:
    key = f"{CANARIES[1]} {OLD}"
    told = office.run("explain", "office/letters", key).stdout
    assert r"Record \x1b[2J\x1b[31mrot 400 of office/letters" in told
    assert "\x1b" not in told
    assert key not in json.dumps(office.json("explain", "office/letters", key))


def test_a_pipe_that_closes_early_is_no_trouble(office: Office) -> None:
    process = subprocess.Popen(
        [*PROGRAM, "policy", "schema"], env=office.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    told = process.stderr.read()
    process.stderr.close()
    process.wait(60)
    assert told == ""


@pytest.mark.parametrize("words", [["--version"], ["plan"], ["plan", "--json"]], ids=" ".join)
def test_a_full_disk_under_stdout_is_told_and_is_no_bug(office: Office, words: list[str]) -> None:
    with open("/dev/full", "w") as full:  # noqa: PTH123 - a device, and no path of ours
        done = subprocess.run(
            [*PROGRAM, *words], env=office.environment(), stdout=full, stderr=subprocess.PIPE, text=True, check=False, timeout=60
        )
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "Not all was written: no space left on device." in done.stderr


def test_streams_that_are_closed_are_no_trouble(office: Office) -> None:
    for closed in (">&-", "2>&-", ">&- 2>&-"):
        done = subprocess.run(
            ["sh", "-c", f'"$@" {closed}', "sh", *PROGRAM, "plan"],
            env=office.environment(),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert (done.returncode, done.stderr) == (0, "")


def test_no_color_is_honoured_on_a_terminal(office: Office) -> None:
    _, coloured = _on_terminal(office, "systems")
    _, plain = _on_terminal(office, "systems", NO_COLOR="1")
    colours = re.compile(r"\x1b\[(?:\d+;)*(?:3\d|4\d|9\d)")
    assert not colours.search(plain)
    assert "office/letters" in coloured


def test_text_in_a_pipe_is_the_same_whatever_the_terminal(office: Office) -> None:
    narrow = office.run("systems", COLUMNS="30", TERM="dumb").stdout
    assert narrow == office.run("systems", COLUMNS="200").stdout
    assert "office/letters" in narrow


def test_text_can_be_written_where_only_ascii_is_known(office: Office) -> None:
    done = office.run("plan", PYTHONIOENCODING="ascii")
    assert done.stdout.isascii()


def test_progress_is_shown_on_a_terminal_while_a_run_acts(tmp_path: Path) -> None:
    office = open_office(tmp_path, [(f"{number}", OLD) for number in range(3000)], batch_size=100)
    office.run("approve", "rule", "--all", "--by", "staff-1")
    status, told = _on_terminal(office, "run")
    assert status == 0
    assert "letter: delete" in told
    assert re.search(r"\d+/3000", told)
    assert office.letters() == []
