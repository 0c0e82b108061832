"""A process that is killed, at every step of the executor and of the log, and at any moment: then log and world agree.

The random moments are 4 for each kind of system, drawn from one seed. `KILLS=500 pytest -s -k any_moment` makes more, and
`SEED=…` others; the figures are printed.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from support.crash import Kill, approve, check_truth, enforce, in_child, restart
from support.services import Server, fresh_mariadb, fresh_postgresql

from retentiond.audit import DeletionLog, Intent, OpenBatch, verify_log
from retentiond.engine.evidence import log_place
from retentiond.model.record import How, Outcome, OutcomeKind, RecordRef, Target
from retentiond.settings import load_settings
from retentiond_sql.receipts import create

ACTING = (
    *((name, 1) for name in ("run-started", "planned", "run-ended", "checkpointed")),
    *((name, nth) for name in ("intended", "looked-again", "acted", "read-back", "concluded") for nth in (1, 6)),
)
"""The failpoints of one run, and at which passing of each the process is killed."""

LOGGING = (
    *(("appended", nth) for nth in (1, 2, 3, 4, 5, 6, 7, 15, 16)),
    *(("signed-beside", 1), ("signed", 1), ("work-key-destroyed", 1), ("work-key-destroyed", 2)),
)
"""The failpoints within the log: written and not committed, between `last-signed` and its row, before old pages are cleared."""

KILLS, SEED = int(os.environ.get("KILLS", "4")), int(os.environ.get("SEED", "20261124"))

DUE, KEPT = 60, 20

POLICY = """\
policy: crash
title: {{de: Absturz, en: crash}}
purpose: test
basis: ["Art. 5(1)(e) GDPR"]
notice: test
zone: Europe/Berlin
valid_from: "2025-01-01"
rules:
  - id: crash.records
    data_kind: {{de: Datensätze, en: records}}
    categories: [master-data]
    target: {{system: store, dataset: records}}
    starts: {starts}
    keep_at_least: none
    delete_after: {{period: P1Y, counted: day-end}}
    action: delete
    limits: {{share: 100%, records: 1000, undatable: 1%}}
    approval: rule
"""

SETTINGS = """\
policies: policies
state: state
{state}origin: crash.example/retentiond/test
batch_size: 10
systems:
  store:
"""


class Home(ABC):
    """The folder of one world, and the state it begins with: rules approved, nothing done."""

    target = Target("store", "records")
    proves = False
    state = ""
    """What the settings say about where the state is, if not in files."""

    def __init__(self, folder: Path, starts: str, system: str) -> None:
        self.folder = folder
        self.settings = folder / "settings.yaml"
        (folder / "policies").mkdir()
        (folder / "policies" / "crash.yaml").write_text(POLICY.format(starts=starts), encoding="utf-8")
        self.settings.write_text(SETTINGS.format(state=self.state) + system, encoding="utf-8")

        records = [(self.key(number, age), number) for number, age in AGES]
        self.due: frozenset[tuple[str, ...]] = frozenset(key for key, number in records if number < DUE)
        self.kept: frozenset[tuple[str, ...]] = frozenset(key for key, number in records if number >= DUE)
        self.fill()
        in_child(lambda: approve(self))
        shutil.copytree(folder / "state", folder / "approved")

    def reset(self) -> None:
        """Put every record back as it was, and the state as it was after the approval."""
        self.reset_state()
        self.fill()

    def reset_state(self) -> None:
        """Put the state back as it was after the approval."""
        shutil.rmtree(self.folder / "state", ignore_errors=True)
        shutil.copytree(self.folder / "approved", self.folder / "state")

    @abstractmethod
    def key(self, number: int, age: datetime) -> tuple[str, ...]:
        """The key under which the connector knows a record."""

    @abstractmethod
    def fill(self) -> None:
        """Make the records anew."""

    @abstractmethod
    def living(self) -> frozenset[tuple[str, ...]]:
        """The keys of the records that are there."""

    def left_over(self) -> int:
        """How many receipts are there."""
        return 0


NOW = datetime.now(UTC)
AGES = [(number, NOW - timedelta(days=400 + number if number < DUE else 300 - number)) for number in range(DUE + KEPT)]
"""A number and a date for each record: first the due ones, then those that have to stay."""


class SqlWorld(Home):
    """A table; its URL says in which database."""

    def __init__(self, folder: Path, url: sa.URL, proof: str = "") -> None:
        """`proof` is what the connection says about it: `receipts: …` or `transaction_ids: true`."""
        self.proves = bool(proof)
        self._engine = sa.create_engine(url, poolclass=sa.NullPool)
        self._table = sa.Table(
            "records",
            sa.MetaData(),
            sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
            sa.Column("created", sa.DateTime(timezone=True)),
        )
        self._table.metadata.create_all(self._engine)
        with self._engine.begin() as connection:
            connection.exec_driver_sql(create(RECEIPTS))
        address = url.set(drivername=url.get_backend_name()).render_as_string()
        super().__init__(
            folder,
            "created",
            f"""\
    connector: sql
    connection: {{url: "{address}", copies: []{proof and ", "}{proof}}}
    datasets:
      records:
        table: records
        key: [id]
        dates:
          created: {DATE_KINDS[url.get_backend_name()]}
""",
        )

    def key(self, number: int, age: datetime) -> tuple[str, ...]:
        del age
        return (str(number),)

    def fill(self) -> None:
        zoned = self._engine.dialect.name == "postgresql"
        rows = [{"id": number, "created": age if zoned else age.replace(tzinfo=None)} for number, age in AGES]
        with self._engine.begin() as connection:
            connection.execute(sa.delete(self._table))
            connection.execute(sa.delete(sa.table(RECEIPTS)))
            connection.execute(sa.insert(self._table), rows)

    def living(self) -> frozenset[tuple[str, ...]]:
        with self._engine.connect() as connection:
            return frozenset((str(number),) for number in connection.scalars(sa.select(self._table.c.id)))

    def left_over(self) -> int:
        with self._engine.connect() as connection:
            return connection.execute(sa.select(sa.func.count()).select_from(sa.table(RECEIPTS))).scalar_one()


RECEIPTS = "retentiond_receipts"


class PostgresqlStateWorld(SqlWorld):
    """A table in a SQLite file; store and deletion log are in PostgreSQL."""

    def __init__(self, folder: Path, url: sa.URL, server: Server) -> None:
        self._server, self._name = server, url.database
        shown = url.render_as_string(hide_password=False)
        self.state = f"database: {shown}\n"
        super().__init__(folder, sa.URL.create("sqlite", database=str(folder / "records.db")), "")
        server.execute(f"ALTER DATABASE {self._name} RENAME TO {self._name}_approved")

    def reset_state(self) -> None:
        super().reset_state()
        self._server.execute(
            f"DROP DATABASE IF EXISTS {self._name} WITH (FORCE)",
            f"CREATE DATABASE {self._name} TEMPLATE {self._name}_approved OWNER {self._name}",
        )

    def close(self) -> None:
        """Leave one database of that name, as it was found."""
        self._server.execute(
            f"DROP DATABASE IF EXISTS {self._name} WITH (FORCE)", f"ALTER DATABASE {self._name}_approved RENAME TO {self._name}"
        )


DATE_KINDS = {
    "mysql": "{column: created, kind: local-timestamp, zone: UTC}",
    "sqlite": "{column: created, kind: local-timestamp, zone: UTC}",
    "postgresql": "{column: created, kind: timestamp}",
}


class FileWorld(Home):
    """A folder of recordings, each a record."""

    def __init__(self, folder: Path) -> None:
        self._root = folder / "recordings"
        super().__init__(
            folder,
            "written",
            f"""\
    connector: files
    connection: {{root: {self._root}}}
    datasets:
      records: {{include: ["*.wav"], record: file, source: {{from: mtime}}}}
""",
        )

    def key(self, number: int, age: datetime) -> tuple[str, ...]:
        del age
        return (f"{number:03}.wav",)

    def fill(self) -> None:
        self._root.mkdir(exist_ok=True)
        for number, age in AGES:
            file = self._root / f"{number:03}.wav"
            file.write_bytes(b"RIFF")
            os.utime(file, (age.timestamp(), age.timestamp()))

    def living(self) -> frozenset[tuple[str, ...]]:
        return frozenset((file.name,) for file in self._root.iterdir())


class VoucherWorld(Home):
    """An archive of documents, of which a sidecar tells the dates; each has a transcript and a picture of its own."""

    def __init__(self, folder: Path) -> None:
        self._root = folder / "vouchers"
        super().__init__(
            folder,
            "{at: [issued_on, received_on], take: latest, optional: [received_on]}",
            f"""\
    connector: files
    connection: {{root: {self._root}}}
    datasets:
      records:
        include: ["*.pdf"]
        record: file
        source:
          from: sidecar
          dates: {{issued_on: /issued_on, received_on: /received_on}}
          parts: ["{{stem}}.txt", "pictures/{{name}}.png"]
        identity: key
        quiet_minutes: 0
""",
        )

    def key(self, number: int, age: datetime) -> tuple[str, ...]:
        del age
        return (f"{number:03}.pdf",)

    def fill(self) -> None:
        shutil.rmtree(self._root, ignore_errors=True)
        (self._root / "pictures").mkdir(parents=True)
        for number, age in AGES:
            dates = {"issued_on": f"{age - timedelta(days=1000):%Y-%m-%d}", "received_on": f"{age:%Y-%m-%d}"}
            for name in (f"{number:03}.pdf", f"{number:03}.txt", f"pictures/{number:03}.pdf.png"):
                (self._root / name).write_bytes(b"%PDF")
            (self._root / f"{number:03}.pdf.json").write_text(json.dumps(dates), encoding="ascii")

    def living(self) -> frozenset[tuple[str, ...]]:
        """A record is there as long as any of its files is."""
        files = [file for file in self._root.rglob("[0-9]*") if file.is_file()]
        return frozenset((f"{file.name[:3]}.pdf",) for file in files)


class LineWorld(Home):
    """Access logs of many days; a record is what was logged within an hour."""

    def __init__(self, folder: Path) -> None:
        self._root = folder / "logs"
        super().__init__(
            folder,
            "entry",
            f"""\
    connector: files
    connection: {{root: {self._root}}}
    datasets:
      records: {{include: ["*.log"], record: line, source: {{from: content, format: nginx-combined}}, quiet_minutes: 0}}
""",
        )

    def key(self, number: int, age: datetime) -> tuple[str, ...]:
        return (f"{number % 5}.log", f"{age:%Y-%m-%dT%HZ}")

    def fill(self) -> None:
        shutil.rmtree(self._root, ignore_errors=True)
        self._root.mkdir()
        for number, age in AGES:
            with (self._root / f"{number % 5}.log").open("a", encoding="ascii") as file:
                file.write(f'203.0.113.7 - - [{age:%d/%b/%Y:%H:%M:%S} +0000] "GET / HTTP/1.1" 200 1 "-" "-"\n')

    def living(self) -> frozenset[tuple[str, ...]]:
        found = set()
        for file in self._root.glob("*.log"):
            for line in file.read_text(encoding="ascii").splitlines():
                entry = datetime.strptime(line[line.index("[") + 1 : line.index("]")], "%d/%b/%Y:%H:%M:%S %z")
                found.add((file.name, f"{entry:%Y-%m-%dT%HZ}"))
        return frozenset(found)


KINDS = {
    "sqlite": "",
    "sqlite with receipts": f"receipts: {RECEIPTS}",
    "postgresql": "",
    "postgresql-state": "",
    "postgresql with receipts": f"receipts: {RECEIPTS}",
    "postgresql with transaction ids": "transaction_ids: true",
    "mariadb": "",
    "mariadb with receipts": f"receipts: {RECEIPTS}",
    "files": "",
    "vouchers": "",
    "lines": "",
}
"""Each system, and by what it proves its acts."""


@pytest.fixture(scope="module", params=KINDS)
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """Each system in turn."""
    kind = request.param.partition(" ")[0]
    folder, proof = tmp_path_factory.mktemp(kind), KINDS[request.param]
    match kind:
        case "sqlite":
            yield SqlWorld(folder, sa.URL.create("sqlite", database=str(folder / "records.db")), proof)
        case "postgresql" | "mariadb":
            fresh = fresh_postgresql if kind == "postgresql" else fresh_mariadb
            with closing(fresh(request.getfixturevalue(f"{kind}_server"))) as making:
                yield SqlWorld(folder, next(making), proof)
        case "postgresql-state":
            server = request.getfixturevalue("postgresql_server")
            with closing(fresh_postgresql(server)) as making:
                stateful = PostgresqlStateWorld(folder, next(making), server)
                yield stateful
                stateful.close()
        case "files":
            yield FileWorld(folder)
        case "vouchers":
            yield VoucherWorld(folder)
        case "lines":
            yield LineWorld(folder)


def after_the_crash(world: Home) -> int:
    """Start again: first what is in doubt is resolved, then the rest is done; both times log and world agree.

    How many batches were in doubt.
    """
    found = verify_log(log_place(load_settings(world.settings)))
    assert not found.problems, found.problems
    in_child(lambda: restart(world))
    check_truth(world)
    in_child(lambda: enforce(world))
    check_truth(world)
    assert not world.due & world.living()
    assert world.left_over() == 0, "receipts are left of batches that are concluded"
    return found.open_batches


def test_without_a_crash_everything_due_goes_and_the_log_says_so(world: Home) -> None:
    world.reset()
    assert in_child(lambda: enforce(world))
    check_truth(world)
    assert world.living() == world.kept


@pytest.mark.parametrize(("step", "occurrence"), ACTING)
def test_a_kill_at_any_step_leaves_log_and_world_agreeing(world: Home, step: str, occurrence: int) -> None:
    world.reset()
    assert not in_child(lambda: enforce(world), Kill(step, occurrence)), "the failpoint is passed as often as that"
    after_the_crash(world)


@pytest.mark.parametrize("world", ["sqlite", "postgresql-state"], indirect=True)
@pytest.mark.parametrize(("step", "occurrence"), LOGGING)
def test_a_kill_at_any_step_of_the_log_leaves_log_and_world_agreeing(world: Home, step: str, occurrence: int) -> None:
    world.reset()
    assert not in_child(lambda: enforce(world), Kill(step, occurrence)), "the failpoint is passed as often as that"
    after_the_crash(world)


@pytest.mark.parametrize("step", ["resolve", "appended", "resolved"])
def test_a_kill_while_a_doubt_is_resolved_leaves_it_to_the_next_start(world: Home, step: str) -> None:
    world.reset()
    assert not in_child(lambda: enforce(world), Kill("acted", 2))
    assert not in_child(lambda: restart(world), Kill(step, 1))
    after_the_crash(world)


@pytest.mark.parametrize("world", ["sqlite", "postgresql-state"], indirect=True)
@pytest.mark.parametrize("step", ["signed-beside", "signed", "work-key-destroyed"])
def test_a_kill_while_what_a_crash_left_is_signed_leaves_it_to_the_next_start(world: Home, step: str) -> None:
    world.reset()
    assert not in_child(lambda: enforce(world), Kill("acted", 2))
    assert not in_child(lambda: enforce(world), Kill(step, 1))
    after_the_crash(world)


@pytest.mark.parametrize("world", ["postgresql with transaction ids"], indirect=True)
@pytest.mark.parametrize("occurrence", [1, 2, 6])
def test_a_kill_between_note_and_commit_is_told_as_not_done(world: Home, occurrence: int) -> None:
    world.reset()
    before = world.living()
    assert not in_child(lambda: enforce(world), Kill("noted", occurrence))
    in_child(lambda: restart(world))
    check_truth(world)
    assert len(before) - len(world.living()) == (occurrence - 1) * 10, "what was noted and never committed is there"
    after_the_crash(world)


@pytest.mark.timeout(7200)
def test_a_kill_at_any_moment_leaves_log_and_world_agreeing(world: Home) -> None:
    chance = random.Random(SEED)  # noqa: S311 - moments, no secrets
    world.reset()
    started = time.perf_counter()
    in_child(lambda: enforce(world))
    length = time.perf_counter() - started
    killed = doubtful = 0
    while killed < KILLS:
        world.reset()
        moment = chance.uniform(0.0, length)
        if in_child(lambda: enforce(world), moment):
            length = moment  # the run was over by then, so a later moment kills nobody; machines warm up
        else:
            killed += 1
        doubtful += after_the_crash(world)
    print(f"{killed} kills: {doubtful} left a batch in doubt; 0 lost, 0 phantoms, 0 unresolved")  # noqa: T201 - the figures


def test_the_harness_notices_a_batch_in_doubt(world: Home) -> None:
    """A harness that could not fail would prove nothing."""
    world.reset()
    assert not in_child(lambda: enforce(world), Kill("acted", 1))
    with pytest.raises(AssertionError, match="still in doubt"):
        check_truth(world)


@pytest.mark.parametrize("world", ["sqlite"], indirect=True)
def test_the_harness_notices_an_act_of_ours_that_nobody_can_tell_to_be_ours(world: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    world.reset()
    assert not in_child(lambda: enforce(world), Kill("acted", 1))
    in_child(lambda: restart(world))
    check_truth(world)
    monkeypatch.setattr(world, "proves", True)
    with pytest.raises(AssertionError, match="by whose"):
        check_truth(world)


def test_the_harness_notices_an_entry_about_a_record_that_is_still_there(world: Home) -> None:
    world.reset()
    assert in_child(lambda: enforce(world))
    world.fill()
    with pytest.raises(AssertionError, match="still there"):
        check_truth(world)


def _concluded_before_the_act(
    log: DeletionLog, intent: Intent, records: Sequence[RecordRef], now: datetime, _again: object
) -> OpenBatch:
    batch = INTEND(log, intent, records, now)
    CONCLUDE(log, batch, [Outcome(OutcomeKind.CONFIRMED, How.RETURNING)] * len(records), now)
    return batch


def _intended_after_the_act(log: DeletionLog, batch: OpenBatch, outcomes: Sequence[Outcome], now: datetime) -> None:
    CONCLUDE(log, INTEND(log, batch.intent, batch.records, now), outcomes, now)


INTEND, CONCLUDE = DeletionLog.intend, DeletionLog.conclude


def test_the_harness_notices_a_log_that_is_written_before_the_act(world: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DeletionLog, "intend", _concluded_before_the_act)
    world.reset()
    assert not in_child(lambda: enforce(world), Kill("intended", 1))
    with pytest.raises(AssertionError, match="still there"):
        check_truth(world)


@pytest.mark.parametrize("world", [kind for kind in KINDS if "transaction" not in kind], indirect=True)  # these need the intent
def test_the_harness_notices_a_log_that_is_written_after_the_act(world: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(_log: DeletionLog, intent: Intent, records: Sequence[RecordRef], _now: datetime, _again: object) -> OpenBatch:
        return OpenBatch(f"{intent.run}.1", 0, intent, tuple(records), b"")

    monkeypatch.setattr(DeletionLog, "intend", nothing)
    monkeypatch.setattr(DeletionLog, "conclude", _intended_after_the_act)
    world.reset()
    assert not in_child(lambda: enforce(world), Kill("acted", 1))
    with pytest.raises(AssertionError, match="does not say so"):
        check_truth(world)
