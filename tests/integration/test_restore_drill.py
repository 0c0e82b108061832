"""The restore drill: a real database, or a folder, is put back from a backup, and a replay makes it as if it never had been."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from support.crash import Kill, in_child
from support.services import Server, fresh_postgresql

from retentiond.audit import read_log, verify_log
from retentiond.cli.main import main
from retentiond.engine.approval import approve_rule
from retentiond.engine.evidence import log_place, open_evidence, open_store_of
from retentiond.engine.holding import place
from retentiond.engine.redoing import ReplayReport, replay
from retentiond.engine.requesting import lift_request, open_request
from retentiond.engine.runner import run
from retentiond.engine.unblocking import unblock
from retentiond.engine.values import RunReport, Status
from retentiond.engine.workplace import Workplace, read_workplace
from retentiond.model.hold import HoldKind, Scope
from retentiond.model.record import Action, Target
from retentiond.model.request import RequestKind
from retentiond.model.subject import Subject
from retentiond.settings import load_settings
from retentiond.store import ClockReading

NOW = datetime.now(UTC)
YEAR = timedelta(days=366)

POLICY = """\
policy: drill
title: {de: Probe, en: drill}
purpose: test
basis: ["Art. 6(1)(f) GDPR"]
notice: test
zone: Europe/Berlin
valid_from: "2020-01-01"
rules:
"""

RULE = """\
  - id: {id}
    data_kind: {{de: Erfundenes, en: things made up}}
    categories: [master-data]
    target: {{system: shop, dataset: {dataset}}}
    starts: {starts}
    keep_at_least: {duty}
    delete_after: {{period: P1Y, counted: day-end}}
    action: {action}
    limits: {{share: 100%, records: 1000, undatable: 1%}}
    approval: rule
"""

SETTINGS = """\
policies: policies
state: state
origin: drill.example/retentiond/test
batch_size: 16
systems:
  shop:
"""

DATABASE = """\
    connector: sql
    connection: {{url: "{url}", copies: []}}
    datasets:
      customers:
        table: customers
        key: [id]
        identity: [born]
        dates: {{closed: {{column: closed_at, kind: timestamp}}}}
        subjects: {{email: mail}}
        block: {{flag: {{blocked: true}}}}
      letters:
        table: letters
        key: [id]
        identity: [born]
        dates: {{written: {{column: written_at, kind: timestamp}}}}
        anonymize: {{columns: {{name: null}}, marker: {{anonymized: true}}}}
"""

MARKED = "boolean NOT NULL DEFAULT false"
TABLES = (
    f"CREATE TABLE customers (id int PRIMARY KEY, born text, name text, mail text, closed_at timestamptz, blocked {MARKED})",
    f"CREATE TABLE letters (id int PRIMARY KEY, born text, name text, written_at timestamptz, anonymized {MARKED})",
)
CUSTOMER = "INSERT INTO customers VALUES (:id, :born, :name, :mail, :at)"
LETTER = "INSERT INTO letters VALUES (:id, :born, :name, :at)"


class Installation:
    """Settings, policies and state in a folder."""

    def __init__(self, folder: Path, system: str, *rules: str) -> None:
        self.folder = folder
        self.settings = folder / "settings.yaml"
        self.settings.write_text(SETTINGS + system, encoding="utf-8")
        (folder / "policies").mkdir()
        (folder / "policies" / "drill.yaml").write_text(POLICY + "".join(rules), encoding="utf-8")

    def workplace(self) -> Workplace:
        return read_workplace(load_settings(self.settings))

    def approve(self) -> None:
        workplace = self.workplace()
        with open_evidence(workplace.settings, now()) as evidence:
            for one in workplace.assignments:
                approve_rule(workplace, evidence, one.rule.id, "staff-1", now())

    def run(self) -> RunReport:
        workplace = self.workplace()
        with open_evidence(workplace.settings, now()) as evidence:
            return run(workplace, evidence, reading=reading(), trigger="command", clock=now)

    def replay(self, since: datetime, *, most: int | None = None) -> ReplayReport:
        workplace = self.workplace()
        with open_evidence(workplace.settings, now()) as evidence:
            return replay(
                workplace, evidence, system="shop", backup_at=since, by="staff-1", reading=reading(), clock=now, most=most
            )

    def hold(self, dataset: str, *key: str) -> None:
        workplace, scope = self.workplace(), Scope(system="shop", dataset=dataset, key=key)
        with open_store_of(workplace.settings) as store:
            place(workplace, store, HoldKind.LEGAL_CLAIM, scope, reason="c-1", owner="staff-2", by="staff-1", now=now())

    def check_log(self) -> None:
        """The log verifies whole, and each `again` names the final outcome of the very same record and action."""
        place = log_place(self.workplace().settings)
        found = verify_log(place, full=True)
        assert (found.problems, found.open_batches) == ((), 0)
        with read_log(place) as log:
            entries = {entry.index: entry for entry in log.entries()}
            again = [entry for entry in entries.values() if "again" in entry.fields]
            for entry in again:
                before = entries[entry.fields["again"]]
                then, since = entries[before.fields["i"]].fields, entries[entry.fields["i"]].fields
                assert before.fields["o"] in {"confirmed", "already-absent"}
                assert (then["action"], then["rule"], then["dataset"]) == (since["action"], since["rule"], since["dataset"])

    def traces(self, dataset: str, key: str) -> list[tuple[int, dict[str, Any]]]:
        """What the log says of one record."""
        with read_log(log_place(self.workplace().settings)) as log:
            return [(entry.index, dict(entry.fields)) for entry in log.find(Target("shop", dataset), (key,))]


def now() -> datetime:
    return datetime.now(UTC)


def reading() -> ClockReading:
    return ClockReading(now(), "boot", time.clock_gettime(time.CLOCK_BOOTTIME))


class Shop(Installation):
    """A shop's database on PostgreSQL, with its backup and its twin that is never restored."""

    def __init__(self, folder: Path, server: Server, url: sa.URL) -> None:
        self.server, self.url = server, url
        self.name = str(url.database)
        duty = "{class: none, period: P3Y, counted: day-end}"
        super().__init__(
            folder,
            DATABASE.format(url=url.set(drivername="postgresql").render_as_string()),
            RULE.format(id="customers", dataset="customers", starts="closed", duty=duty, action="delete"),
            RULE.format(id="letters", dataset="letters", starts="written", duty="none", action="anonymize"),
        )
        self.do(*TABLES)
        for number in range(1, 91):
            age = 4 * YEAR if number <= 40 else 2 * YEAR if number <= 70 else timedelta(days=10)
            self.customer(number, age)
        for number in range(1, 41):
            self.letter(number, 2 * YEAR if number <= 30 else timedelta(days=10))

    def customer(self, number: int, age: timedelta, born: str = "first") -> None:
        mail = f"customer-{number}-{born}@canary.example"
        self.do(CUSTOMER, id=number, born=f"{number} {born}", name=f"Customer {number} {born}", mail=mail, at=NOW - age)

    def letter(self, number: int, age: timedelta, born: str = "first") -> None:
        self.do(LETTER, id=number, born=f"{number} {born}", name=f"Letter {number} {born}", at=NOW - age)

    def do(self, *statements: str, **values: object) -> None:
        engine = sa.create_engine(self.url, poolclass=sa.NullPool)
        with engine.begin() as connection:
            for statement in statements:
                connection.execute(sa.text(statement), values)

    def rows(self, copy: str | None = None) -> dict[tuple[str, int], tuple[Any, ...]]:
        """Every row of the database, or of a copy of it."""
        engine = sa.create_engine(self.server.admin.set(database=copy or self.name), poolclass=sa.NullPool)
        with engine.connect() as connection:
            return {
                (table, row[0]): tuple(row)
                for table in ("customers", "letters")
                for row in connection.execute(sa.text(f"SELECT * FROM {table}")).all()  # noqa: S608 - names of our own
            }

    def copy(self, name: str) -> str:
        """Copy the database as it is."""
        copy = f"{self.name}_{name}"
        self.server.execute(f"CREATE DATABASE {copy} TEMPLATE {self.name}")
        return copy

    def restore(self, copy: str) -> None:
        """Put the database back to how the copy is."""
        self.server.execute(
            f"DROP DATABASE {self.name} WITH (FORCE)", f"CREATE DATABASE {self.name} TEMPLATE {copy} OWNER {self.url.username}"
        )


@pytest.fixture
def shop(postgresql_server: Server, tmp_path: Path) -> Iterator[Shop]:
    making = fresh_postgresql(postgresql_server)
    shop = Shop(tmp_path, postgresql_server, next(making))
    yield shop
    for name in ("backup", "twin", "later"):
        postgresql_server.execute(f"DROP DATABASE IF EXISTS {shop.name}_{name} WITH (FORCE)")
    making.close()


@pytest.fixture
def restored(shop: Shop) -> tuple[Shop, datetime]:
    """The shop after backup, run and restore; and when the backup was made."""
    shop.approve()
    shop.copy("backup")
    since = now()
    assert shop.run().exit_status == 0
    shop.copy("twin")
    shop.restore(f"{shop.name}_backup")
    return shop, since


def test_after_the_drill_the_database_equals_its_twin_but_for_strangers_and_what_is_held(
    restored: tuple[Shop, datetime], capsys: pytest.CaptureFixture[str]
) -> None:
    shop, since = restored
    shop.do("DELETE FROM customers WHERE id = 3", "DELETE FROM letters WHERE id = 5")
    shop.customer(3, 4 * YEAR, "stranger")
    shop.letter(5, 2 * YEAR, "stranger")
    shop.hold("customers", "7")
    before = shop.rows()

    report = shop.run()
    assert {step.status for step in report.steps} == {Status.REFUSED}
    assert all("looks like a restore" in step.reasons[0] for step in report.steps)
    assert shop.rows() == before

    words = ["--settings", str(shop.settings), "replay", "--system", "shop", "--since", since.isoformat()]
    assert main([*words, "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert [one["again"] for one in plan["datasets"]] == [{"block": 30, "delete": 38}, {"anonymize": 29}]
    assert [(one["strangers"], one["kept"]) for one in plan["datasets"]] == [(1, {"held": 1}), (1, {})]
    assert shop.rows() == before

    assert main([*words, "--go", "--by", "staff-1", "--json"]) == 0
    done = json.loads(capsys.readouterr().out)
    assert {(step["action"], step["outcomes"]["confirmed"]) for step in done["steps"]} == {
        ("block", 30),
        ("anonymize", 29),
        ("delete", 38),
    }

    twin = shop.rows(f"{shop.name}_twin")
    apart = {("customers", 3), ("customers", 7), ("letters", 5)}
    after = shop.rows()
    assert {key: row for key, row in after.items() if key not in apart} == {k: row for k, row in twin.items() if k not in apart}
    assert {key: after[key] for key in apart} == {key: before[key] for key in apart}

    shop.check_log()
    (first, _), (_, second) = shop.traces("customers", "11")
    assert second["again"] == first
    assert main([*words, "--json"]) == 0
    assert all(not one["again"] for one in json.loads(capsys.readouterr().out)["datasets"])


def test_a_record_that_was_given_back_since_the_backup_is_given_back_again(shop: Shop) -> None:
    person = Subject("email", "customer-80-first@canary.example")
    shop.approve()
    workplace = shop.workplace()
    with open_store_of(workplace.settings) as store:
        request = open_request(workplace, store, RequestKind.RESTRICTION, [person], now(), "C-1", "staff-1", (), now())
    assert shop.run().exit_status == 0
    shop.copy("backup")
    since = now()
    with open_store_of(workplace.settings) as store:
        lift_request(store, request.request, "staff-1", now())
    with open_evidence(workplace.settings, now()) as evidence:
        unblock(workplace, evidence, Target("shop", "customers"), "80", "staff-1", now(), now)
    shop.copy("twin")
    shop.restore(f"{shop.name}_backup")
    assert shop.rows() != shop.rows(f"{shop.name}_twin")
    (step,) = shop.replay(since).steps
    assert (step.action, step.done) == (Action.UNBLOCK, 1)
    assert shop.rows() == shop.rows(f"{shop.name}_twin")
    shop.check_log()


KILLS = [("replay-approved", 1), *((name, n) for name in ("intended", "acted", "read-back", "concluded") for n in (1, 3))]


@pytest.mark.parametrize(("point", "occurrence"), [*KILLS, ("replayed", 1)])
def test_a_replay_that_is_killed_is_finished_by_the_next_one(
    restored: tuple[Shop, datetime], point: str, occurrence: int
) -> None:
    shop, since = restored
    assert not in_child(lambda: shop.replay(since), Kill(point, occurrence))
    assert in_child(lambda: shop.replay(since))
    assert shop.rows() == shop.rows(f"{shop.name}_twin")
    shop.check_log()


# --- files


class Folder(Installation):
    """Recordings and access logs in folders, and a copy of them."""

    def __init__(self, folder: Path, dataset: str, starts: str) -> None:
        self.root, self.copy, self.twin = folder / "root", folder / "copy", folder / "twin"
        self.root.mkdir()
        super().__init__(
            folder,
            f"    connector: files\n    connection: {{root: {self.root}}}\n    datasets:\n      things: {dataset}\n",
            RULE.format(id="things", dataset="things", starts=starts, duty="none", action="delete"),
        )

    def restored(self, fill: Callable[[Path], None]) -> datetime:
        """Fill it, copy it, have due things deleted, and copy it back; when the copy was made."""
        fill(self.root)
        self.approve()
        shutil.copytree(self.root, self.copy)
        since = now()
        assert self.run().exit_status == 0
        shutil.copytree(self.root, self.twin)
        shutil.rmtree(self.root)
        shutil.copytree(self.copy, self.root)
        return since


def recording(file: Path, days: int, content: bytes = b"RIFF") -> None:
    file.write_bytes(content)
    os.utime(file, ((NOW - timedelta(days=days)).timestamp(),) * 2)


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_recordings_that_were_copied_back_go_again_and_others_under_their_names_stay(tmp_path: Path) -> None:
    def fill(root: Path) -> None:
        for number in range(30):
            recording(root / f"{number:02}.wav", 400 + number if number < 25 else 30)

    folder = Folder(tmp_path, '{include: ["*.wav"], record: file, source: {from: mtime}, identity: mtime}', "written")
    since = folder.restored(fill)
    recording(folder.root / "03.wav", 500, b"somebody else")
    folder.hold("things", "04.wav")
    (step,) = folder.run().steps
    assert step.status is Status.REFUSED
    report = folder.replay(since)
    (found,) = report.plan.datasets
    assert found.counts == {"again": 23, "strangers": 1, "undecidable": 0, "held": 1}
    assert contents(folder.root) == contents(folder.twin) | {"03.wav": b"somebody else", "04.wav": b"RIFF"}
    folder.check_log()


def test_log_lines_that_were_copied_back_go_again(tmp_path: Path) -> None:
    def fill(root: Path) -> None:
        for number in range(60):
            at = NOW - timedelta(days=400 + number if number < 40 else 30)
            with (root / f"{number % 3}.log").open("a", encoding="ascii") as file:
                file.write(f'203.0.113.7 - - [{at:%d/%b/%Y:%H:%M:%S} +0000] "GET / HTTP/1.1" 200 1 "-" "-"\n')

    things = "source: {from: content, format: nginx-combined}, quiet_minutes: 0, identity: key"
    folder = Folder(tmp_path, f'{{include: ["*.log"], record: line, {things}}}', "entry")
    since = folder.restored(fill)
    assert contents(folder.root) != contents(folder.twin)
    folder.replay(since)
    assert contents(folder.root) == contents(folder.twin)
    folder.check_log()


def test_files_that_declare_no_identity_are_left_alone_and_told(tmp_path: Path) -> None:
    folder = Folder(tmp_path, '{include: ["*.wav"], record: file, source: {from: mtime}}', "written")
    since = folder.restored(lambda root: recording(root / "00.wav", 400))
    report = folder.replay(since)
    assert report.plan.counts == {"again": 0, "strangers": 0, "undecidable": 1, "held": 0}
    assert contents(folder.root) == contents(folder.copy)
