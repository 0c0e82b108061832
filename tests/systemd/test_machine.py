"""The unit on a machine with a real systemd: set up as the how-to says, under all of its hardening."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.machine import PLACE, Machine, awaited, booted

DEPLOY = Path(__file__).parents[2] / "deploy" / "systemd"

SETTINGS = """\
policies: /etc/retentiond/policies
state: /var/lib/retentiond
origin: machine.example/retentiond/test
log: {format: journal}
systems:
  shop:
    connector: sql
    connection: {url: "sqlite:////srv/shop/shop.db", copies: []}
    datasets:
      inquiries: {table: inquiries, key: [id], dates: {closed_on: {column: closed_on, kind: date}}}
  recordings:
    connector: files
    connection: {root: /srv/recordings}
    datasets:
      interviews: {include: ["*.wav"], record: file, source: {from: mtime}}
"""

POLICY = """\
policy: machine
title: {de: Maschine, en: machine}
purpose: test
basis: ["Art. 5(1)(e) GDPR"]
notice: test
zone: Europe/Berlin
valid_from: "2025-01-01"
rules:
  - id: shop.inquiry
    data_kind: {de: Anfragen, en: inquiries}
    categories: [name]
    target: {system: shop, dataset: inquiries}
    starts: closed_on
    keep_at_least: none
    delete_after: {period: P6M, counted: day-end}
    action: delete
    limits: {records: 1000, share: 100%, undatable: 1%}
    approval: rule
  - id: survey.recording
    data_kind: {de: Aufnahmen, en: recordings}
    categories: [voice]
    target: {system: recordings, dataset: interviews}
    starts: written
    keep_at_least: none
    delete_after: {period: P1Y, counted: day-end}
    action: delete
    limits: {records: 1000, share: 100%, undatable: 1%}
    approval: rule
"""

DROP_IN = """\
[Unit]
# The tests start the service more often than a site does.
StartLimitIntervalSec=0
[Service]
ReadWritePaths=/srv/recordings /srv/shop
# So long a test has to wait; the unit's own values are longer.
WatchdogSec=5s
RestartSec=100ms
"""

OLD = datetime.now(UTC) - timedelta(days=500)
SERVICE = "retentiond.service"


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A machine on which retentiond is installed and its rules are approved, but not started."""
    with booted(tmp_path_factory.mktemp("machine")) as one:
        for file in DEPLOY.glob("*.service"):
            one.write(f"/etc/systemd/system/{file.name}", file.read_text())
        for folder in ("sysusers.d", "tmpfiles.d"):
            # The folder of recordings belongs to somebody else: the ACL line of the file, for another folder.
            text = (DEPLOY / folder / "retentiond.conf").read_text().replace("#a+ /var/log/nginx", "a+ /srv/recordings")
            one.write(f"/etc/{folder}/retentiond.conf", text)
        one.write(f"/etc/systemd/system/{SERVICE}.d/site.conf", DROP_IN)
        one.run("systemd-sysusers", "retentiond.conf")
        fill(one, tmp_path_factory.mktemp("data"))
        one.run("systemd-tmpfiles", "--create", "retentiond.conf")
        one.write("/etc/retentiond/retentiond.yaml", SETTINGS)
        one.write("/etc/retentiond/policies/machine.yaml", POLICY)
        one.run("systemctl", "daemon-reload")
        one.run("systemctl", "enable", SERVICE)
        as_service(one, "approve", "rule", "--all", "--by", "staff-17")
        yield one


def fill(machine: Machine, scratch: Path) -> None:
    """Make the data: two inquiries and two recordings, one each of which is due."""
    shop, recordings = machine.root / "srv/shop", machine.root / "srv/recordings"
    shop.mkdir(parents=True)
    recordings.mkdir()
    with closing(sqlite3.connect(scratch / "shop.db")) as connection, connection:
        connection.execute("CREATE TABLE inquiries (id INTEGER PRIMARY KEY, name TEXT, closed_on DATE)")
        rows = [(1, str(OLD.date())), (2, str(datetime.now(UTC).date()))]
        connection.executemany("INSERT INTO inquiries VALUES (?, 'Ada Muster', ?)", rows)
    shutil.copy(scratch / "shop.db", shop)  # SQLite itself would take the machine's root for the one outside
    machine.run("chown", "-R", "retentiond:", "/srv/shop")
    machine.run("chown", "root:adm", "/srv/recordings")
    for name, written in (("old.wav", OLD), ("new.wav", datetime.now(UTC) - timedelta(hours=1))):
        (recordings / name).write_bytes(b"RIFF")
        os.utime(recordings / name, (written.timestamp(), written.timestamp()))


def as_service(machine: Machine, *words: str) -> str:
    """Run a command as the service's user, as an operator would."""
    return machine.run("runuser", "-u", "retentiond", "--", f"{PLACE}/bin/retentiond", *words)


def shown(machine: Machine, name: str, unit: str = SERVICE) -> str:
    """A property of the service, as systemd tells it."""
    return machine.run("systemctl", "show", unit, "--value", f"--property={name}").strip()


def journal(machine: Machine, *matches: str) -> str:
    return machine.run("journalctl", "--no-pager", "--output=cat", *matches)


def living(machine: Machine, scratch: Path) -> tuple[set[int], set[str]]:
    """The inquiries and recordings that are there."""
    shutil.copy(machine.root / "srv/shop/shop.db", scratch)
    with closing(sqlite3.connect(scratch / "shop.db")) as connection:
        inquiries = {number for (number,) in connection.execute("SELECT id FROM inquiries")}
    return inquiries, {file.name for file in (machine.root / "srv/recordings").iterdir()}


def start(machine: Machine) -> None:
    """Start the service and wait until it has nothing more to do."""
    machine.run("systemctl", "start", SERVICE)
    awaited(lambda: shown(machine, "StatusText").startswith("Idle"))


def test_the_service_does_its_work_under_all_of_its_hardening(machine: Machine, tmp_path: Path) -> None:
    assert living(machine, tmp_path) == ({1, 2}, {"old.wav", "new.wav"})
    start(machine)
    awaited(lambda: "Last run" in shown(machine, "StatusText"))
    assert living(machine, tmp_path) == ({2}, {"new.wav"})
    assert "Last run: done." in shown(machine, "StatusText")
    assert "in order" in as_service(machine, "audit", "verify")
    assert as_service(machine, "status").startswith("Alive")
    assert "status=done" in journal(machine, "RETENTIOND_RULE=survey.recording")
    assert "Ada" not in journal(machine, "--unit", SERVICE)
    assert "exposure level for retentiond.service: 1.1" in machine.run("systemd-analyze", "security", SERVICE)


def test_a_reload_takes_all_or_nothing_and_systemctl_tells_which(machine: Machine) -> None:
    start(machine)
    machine.write("/etc/retentiond/policies/machine.yaml", POLICY.replace("delete_after", "delet_after", 1))
    machine.run("systemctl", "reload", SERVICE)
    awaited(lambda: "the old ones stay in force" in shown(machine, "StatusText"))
    assert "machine.yaml:15:5" in journal(machine, "--unit", SERVICE)
    machine.write("/etc/retentiond/policies/machine.yaml", POLICY)
    machine.run("systemctl", "reload", SERVICE)
    awaited(lambda: "the old ones" not in shown(machine, "StatusText"))
    assert shown(machine, "ActiveState") == "active"


def test_a_stop_is_a_success(machine: Machine) -> None:
    start(machine)
    machine.run("systemctl", "stop", SERVICE)
    assert [shown(machine, name) for name in ("ActiveState", "Result", "ExecMainStatus")] == ["inactive", "success", "0"]


def test_a_service_that_hangs_is_ended_by_the_watchdog_and_started_again(machine: Machine) -> None:
    start(machine)
    first = shown(machine, "MainPID")
    machine.run("kill", "-STOP", first)
    awaited(lambda: shown(machine, "NRestarts") == "1" and shown(machine, "StatusText").startswith("Idle"))
    assert shown(machine, "MainPID") not in {first, "0"}
    assert "watchdog" in journal(machine, "--unit", SERVICE)
    machine.run("systemctl", "stop", SERVICE)


def test_wrong_settings_keep_it_down_and_somebody_is_called(machine: Machine) -> None:
    machine.run("systemctl", "stop", SERVICE)
    machine.write("/etc/retentiond/retentiond.yaml", SETTINGS.replace("policies:", "polices:"))
    try:
        machine.run("systemctl", "start", SERVICE, status=1)
        assert [shown(machine, name) for name in ("ActiveState", "ExecMainStatus", "NRestarts")] == ["failed", "2", "0"]
        awaited(lambda: "has failed and stays down" in journal(machine, "--identifier=retentiond"))
        assert "retentiond.yaml:1:1" in journal(machine, "--unit", SERVICE)
    finally:
        machine.write("/etc/retentiond/retentiond.yaml", SETTINGS)
        machine.run("systemctl", "reset-failed", SERVICE)
