"""`retentiond daemon` as a process of its own: its start, its signals, its death, and what it tells systemd."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.notified import Ear, open_ear
from support.program import NEW, OLD, PROGRAM, Office, open_office

from retentiond.engine.evidence import open_store_of
from retentiond.settings import load_settings

FEW = [("0001", OLD), ("0002", OLD), ("0003", NEW), ("0004", None)]
MANY = 600

Daemon = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def ear() -> Iterator[Ear]:
    with open_ear() as listening:
        yield listening


@pytest.fixture
def daemon(ear: Ear) -> Iterator[Daemon]:
    """Starts the daemon of an office; whatever still runs at the end is killed."""
    started: list[subprocess.Popen[str]] = []

    def start(office: Office, words: Sequence[str] = (*PROGRAM, "daemon"), **environment: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            words,
            env=office.environment(NOTIFY_SOCKET=ear.address, **environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def office_of(folder: Path, letters: list[tuple[str, int | None]], batch_size: int = 1000) -> Office:
    """An office whose schedule is hours away from now, so that nothing starts but what a test starts."""
    office = open_office(folder, letters, batch_size)
    at = datetime.now(UTC) + timedelta(hours=12)
    office.settings.write_text(office.settings.read_text() + f'schedule: "{at.minute} {at.hour} * * *"\nlog: {{format: json}}\n')
    return office


def remember_run(office: Office, ago: timedelta) -> None:
    """Have the store know of a whole run by the daemon."""
    began = datetime.now(UTC) - ago
    with open_store_of(load_settings(office.settings)) as store:
        store.begin_run(f"run of {began}", "schedule", "0" * 64, began)
        store.end_run(f"run of {began}", "done", {}, began)


def stop(process: subprocess.Popen[str], how: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
    """Tell it to stop; its exit status and what it said."""
    process.send_signal(how)
    out, err = process.communicate(timeout=60)
    assert out == "", "a service has no result to write to stdout"
    return process.returncode, err


def wait_until_working(office: Office, process: subprocess.Popen[str]) -> None:
    """Wait until some letters are gone."""
    with closing(sqlite3.connect(f"file:{office.folder}/office.db?mode=ro", uri=True, timeout=60)) as connection:
        while connection.execute("SELECT count(*) FROM letters").fetchone() == (MANY,):
            assert process.poll() is None, process.communicate()


def test_the_first_start_makes_a_first_run_and_then_waits(tmp_path: Path, daemon: Daemon, ear: Ear) -> None:
    office = office_of(tmp_path, FEW)
    office.run("approve", "rule", "--all", "--by", "staff-1")
    process = daemon(office)
    ear.until("READY=1")
    ear.until("Last run: done.")
    assert office.letters() == ["0003", "0004"]
    status, said = stop(process)
    assert status == 0, said
    assert "STOPPING=1" in ear.listen()
    events = [json.loads(line) for line in said.splitlines()]
    assert [event["event"] for event in events] == [
        "started",
        "catching up",
        "run begins",
        "step ended",
        "run ended",
        "stopping",
    ]
    assert events[3]["done"] == 2
    assert "Muster" not in said
    found = office.json("audit", "verify")
    assert (found["trustworthy"], found["open_batches"]) == (True, 0)


def test_nothing_is_deleted_that_nobody_approved(tmp_path: Path, daemon: Daemon, ear: Ear) -> None:
    office = office_of(tmp_path, FEW)
    process = daemon(office)
    ear.until("Last run: report.")
    assert stop(process)[0] == 0
    assert len(office.letters()) == 4


def test_it_lives_and_works_with_its_standard_streams_closed(tmp_path: Path, daemon: Daemon, ear: Ear) -> None:
    office = office_of(tmp_path, FEW)
    office.run("approve", "rule", "--all", "--by", "staff-1")
    process = daemon(office, ("/bin/sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *PROGRAM, "daemon"))
    ear.until("Last run: done.")
    assert stop(process) == (0, "")
    assert office.letters() == ["0003", "0004"]
    assert office.json("audit", "verify")["trustworthy"]


def test_a_run_that_was_slept_through_is_made_at_the_start(tmp_path: Path, daemon: Daemon, ear: Ear) -> None:
    office = office_of(tmp_path, FEW)
    office.run("approve", "rule", "--all", "--by", "staff-1")
    remember_run(office, timedelta(days=3))
    process = daemon(office)
    ear.until("Last run: done.")
    assert stop(process)[0] == 0
    assert office.letters() == ["0003", "0004"]
    assert [run["trigger"] for run in runs_of(office)] == ["catch-up", "schedule"]


def test_nothing_runs_before_its_time(tmp_path: Path, daemon: Daemon, ear: Ear) -> None:
    office = office_of(tmp_path, FEW)
    office.run("approve", "rule", "--all", "--by", "staff-1")
    remember_run(office, timedelta(hours=1))
    process = daemon(office)
    ear.until("READY=1")
    status, said = stop(process)
    assert (status, "run begins" in said) == (0, False)
    assert len(office.letters()) == 4


def runs_of(office: Office) -> list[dict[str, str]]:
    with open_store_of(load_settings(office.settings)) as store:
        return [{"trigger": run.trigger, "status": str(run.status)} for run in store.runs()]


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_told_to_stop_it_finishes_the_batch_in_hand_and_the_next_start_goes_on(
    tmp_path: Path, daemon: Daemon, ear: Ear, how: signal.Signals
) -> None:
    office = office_of(tmp_path, [(f"{place:05}", OLD) for place in range(MANY)], batch_size=10)
    office.run("approve", "rule", "--all", "--by", "staff-1")
    process = daemon(office)
    wait_until_working(office, process)
    status, said = stop(process, how)
    assert status == 0, said
    left = len(office.letters())
    assert 0 < left < MANY
    assert left % 10 == 0
    assert any("Finishing the batch in hand" in line for line in ear.listen())
    assert office.json("audit", "verify")["open_batches"] == 0

    again = daemon(office)
    ear.until("Last run: done.", 120)
    assert stop(again)[0] == 0
    assert office.letters() == []
    assert [run["status"] for run in runs_of(office)] == ["done", "interrupted"]


def test_killed_in_the_middle_it_finds_out_at_the_next_start_what_it_had_done(tmp_path: Path, daemon: Daemon, ear: Ear) -> None:
    office = office_of(tmp_path, [(f"{place:05}", OLD) for place in range(MANY)], batch_size=10)
    office.run("approve", "rule", "--all", "--by", "staff-1")
    process = daemon(office)
    wait_until_working(office, process)
    process.kill()
    process.communicate()
    ear.listen()
    again = daemon(office)
    ear.until("Last run: done.", 120)
    assert stop(again)[0] == 0
    assert office.letters() == []
    found = office.json("audit", "verify")
    assert (found["trustworthy"], found["open_batches"]) == (True, 0)


CRASH = """
import os, signal, sys
from retentiond import failpoint

def die(name):
    if name == "acted":
        os.kill(os.getpid(), signal.SIGKILL)

failpoint.hook = die
from retentiond.cli.main import main
sys.exit(main(["run"]))
"""


def test_a_batch_that_a_run_by_hand_left_in_doubt_is_looked_up_although_no_run_is_due(
    tmp_path: Path, daemon: Daemon, ear: Ear
) -> None:
    office = office_of(tmp_path, FEW)
    office.run("approve", "rule", "--all", "--by", "staff-1")
    died = subprocess.run([sys.executable, "-c", CRASH], env=office.environment(), check=False, capture_output=True, timeout=60)
    assert died.returncode == -signal.SIGKILL
    assert office.json("audit", "verify")["open_batches"] == 1
    remember_run(office, timedelta(minutes=1))
    process = daemon(office)
    ear.until("Last run:")
    status, said = stop(process)
    assert status == 0
    assert '"event":"batch resolved"' in said
    assert office.json("audit", "verify")["open_batches"] == 0


def test_a_second_daemon_on_the_same_state_is_refused_and_the_first_lives_on(tmp_path: Path, daemon: Daemon, ear: Ear) -> None:
    office = office_of(tmp_path, FEW)
    first = daemon(office)
    ear.until("READY=1")
    second = daemon(office)
    _, said = second.communicate(timeout=60)
    assert second.returncode == 1
    assert f"The lock of the daemon ({office.state}/retentiond.lock) is held by process {first.pid}" in said
    assert stop(first)[0] == 0


def test_commands_work_beside_the_daemon(tmp_path: Path, daemon: Daemon, ear: Ear) -> None:
    office = office_of(tmp_path, FEW)
    process = daemon(office)
    ear.until("Last run: report.")
    office.run("approve", "rule", "--all", "--by", "staff-1")
    office.run("run")
    assert office.letters() == ["0003", "0004"]
    assert stop(process)[0] == 0


def test_a_reload_takes_all_of_what_is_right_and_none_of_what_is_wrong(tmp_path: Path, daemon: Daemon, ear: Ear) -> None:
    office = office_of(tmp_path, FEW)
    remember_run(office, timedelta(minutes=1))
    process = daemon(office)
    ear.until("READY=1")
    right = office.policy.read_text()

    at = datetime.now(UTC) + timedelta(hours=6)
    office.settings.write_text(
        office.settings.read_text().replace("schedule:", "# schedule:") + f'schedule: "{at.minute} {at.hour} * * *"\n'
    )
    office.policy.write_text(right.replace("P1Y", "P2Y"))
    process.send_signal(signal.SIGHUP)
    heard = ear.until("READY=1")
    assert "RELOADING=1" in heard + ear.heard
    assert f"{at:%H:%M} UTC" in "".join(heard + ear.listen())

    office.policy.write_text(right.replace("P1Y", "1 year").replace("action: delete", "action: shred"))
    process.send_signal(signal.SIGHUP)
    ear.until("the old ones stay in force")
    office.policy.write_text(right)
    process.send_signal(signal.SIGHUP)
    ear.until("READY=1")

    status, said = stop(process)
    assert status == 0
    events = [json.loads(line) for line in said.splitlines()]
    assert [event["event"] for event in events] == ["started", "reloaded", "reload refused", "reloaded", "stopping"]
    first, second, third = (event for event in events if "policy_digest" in event)
    assert first["policy_digest"] == third["policy_digest"] != second["policy_digest"]
    refusal = events[2]["message"]
    assert f"{office.policy}:" in refusal
    assert "period" in refusal
    assert "shred" in refusal or "action" in refusal


@pytest.mark.parametrize(
    ("spoil", "status", "told"),
    [
        (lambda office: office.settings.unlink(), 2, "retentiond.yaml"),
        (lambda office: office.policy.write_text("policy: [\n"), 2, "letters.yaml:"),
        (lambda office: office.state.write_text("a file, where a directory should be"), 1, "cannot be made"),
    ],
)
def test_what_is_wrong_at_the_start_is_told_in_a_sentence(
    tmp_path: Path, daemon: Daemon, ear: Ear, spoil: Callable[[Office], object], status: int, told: str
) -> None:
    office = office_of(tmp_path, FEW)
    spoil(office)
    process = daemon(office)
    _, said = process.communicate(timeout=60)
    assert process.returncode == status, said
    assert told in said
    assert "Traceback" not in said
    assert "READY=1" not in ear.listen()


def test_a_log_that_was_cut_keeps_the_daemon_from_starting(tmp_path: Path, daemon: Daemon, ear: Ear) -> None:
    office = office_of(tmp_path, FEW)
    office.run("approve", "rule", "--all", "--by", "staff-1")
    (office.state / "last-signed").unlink()
    process = daemon(office)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 5, said
    assert "last-signed" in said
    assert "READY=1" not in ear.listen()
    assert len(office.letters()) == 4


HUNG = """
import sys, threading
from datetime import timedelta
from retentiond_sql.reader import SqlReader
from retentiond.daemon.service import serve

SqlReader.count = lambda self: threading.Event().wait()  # a connector that never answers
sys.exit(serve(None, stalled_after=timedelta(seconds=1)))
"""


def test_a_connector_that_hangs_is_not_vouched_for_until_the_watchdog_strikes(tmp_path: Path, daemon: Daemon, ear: Ear) -> None:
    office = office_of(tmp_path, FEW)
    process = daemon(office, (sys.executable, "-c", HUNG), WATCHDOG_USEC="600000")
    assert "WATCHDOG=1" in ear.until("Running")  # the loop lives, and the run is young
    ear.until("no progress for 1 seconds")
    ear.listen()
    with pytest.raises(AssertionError, match="never heard 'WATCHDOG=1'"):
        ear.until("WATCHDOG=1", seconds=2)
    # What systemd does now:
    process.send_signal(signal.SIGABRT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGABRT
    assert "run stalled" in said
    assert "Fatal Python error: Aborted" in said  # where it hung, for whoever looks into the journal
    assert "Muster" not in said


def test_a_run_that_gets_on_is_vouched_for_all_the_time(tmp_path: Path, daemon: Daemon, ear: Ear) -> None:
    office = office_of(tmp_path, [(f"{place:05}", OLD) for place in range(MANY)], batch_size=10)
    office.run("approve", "rule", "--all", "--by", "staff-1")
    process = daemon(office, WATCHDOG_USEC="600000")
    heard = ear.until("Last run: done.", 120)
    assert heard.count("WATCHDOG=1") > 2
    assert stop(process)[0] == 0
