"""A process that is killed, at every step of the executor and at any moment: afterwards the log and the world agree.

The random moments number 200 for each system with `RETENTIOND_TEST_KILLS=200`; fewer by default, so that the whole
test run stays short. Each is drawn from a seed that a failure shows.
"""

from __future__ import annotations

import os
import random
import shutil
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from support.crash import Kill, World, approve, check_truth, enforce, in_child, restart

from retentiond.model.record import Target

STEPS = ("run-started", "planned", "intended", "acted", "read-back", "concluded", "run-ended", "checkpointed")
"""The failpoints of one run, in their order."""

KILLS = int(os.environ.get("RETENTIOND_TEST_KILLS", "40"))

DUE, KEPT = 60, 20

POLICY = """\
policy: crash
title: {{de: Absturz, en: crash}}
purpose: test
basis: ["Art. 5(1)(e) GDPR"]
notice: test
zone: Europe/Berlin
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
origin: crash.example/retentiond/test
batch_size: 10
systems:
  store:
"""


class Home:
    """The folder of one world, and the state it begins with: rules approved, nothing done."""

    target = Target("store", "records")

    def __init__(self, folder: Path, starts: str, system: str) -> None:
        self.folder = folder
        self.settings = folder / "settings.yaml"
        (folder / "policies").mkdir()
        (folder / "policies" / "crash.yaml").write_text(POLICY.format(starts=starts), encoding="utf-8")
        self.settings.write_text(SETTINGS + system, encoding="utf-8")

    def keep_state(self: World) -> None:
        """Remember the state as it is now, for `fresh_state`."""
        in_child(lambda: approve(self))
        shutil.copytree(self.settings.parent / "state", self.settings.parent / "approved")

    def fresh_state(self) -> None:
        """The state as it was remembered."""
        shutil.rmtree(self.folder / "state", ignore_errors=True)
        shutil.copytree(self.folder / "approved", self.folder / "state")


def ages() -> Iterator[tuple[int, datetime]]:
    """A number and a date for each record: first the due ones, then those that have to stay."""
    now = datetime.now(UTC)
    for number in range(DUE):
        yield number, now - timedelta(days=400 + number)
    for number in range(DUE, DUE + KEPT):
        yield number, now - timedelta(days=300 - number)


class SqlWorld(Home):
    """A table; its URL says in which database."""

    def __init__(self, folder: Path, url: sa.URL) -> None:
        self._engine = sa.create_engine(url, poolclass=sa.NullPool)
        self._url = url
        super().__init__(
            folder,
            "created",
            f"""\
    connector: sql
    connection: {{url: "{url.render_as_string()}"}}
    datasets:
      records:
        table: records
        key: [id]
        dates:
          created: {{column: created, kind: instant}}
""",
        )
        self.due = frozenset((str(number),) for number in range(DUE))
        self.kept = frozenset((str(number),) for number in range(DUE, DUE + KEPT))
        table = sa.Table(
            "records", sa.MetaData(), sa.Column("id", sa.Integer, primary_key=True), sa.Column("created", sa.DateTime(timezone=True))
        )
        self._table = table
        table.metadata.create_all(self._engine)
        self.reset_records()
        self.keep_state()

    def reset(self) -> None:
        self.fresh_state()
        self.reset_records()

    def reset_records(self) -> None:
        sqlite = self._url.get_backend_name() == "sqlite"
        with self._engine.begin() as connection:
            connection.execute(sa.delete(self._table))
            rows = [{"id": number, "created": age.replace(tzinfo=None) if sqlite else age} for number, age in ages()]
            connection.execute(sa.insert(self._table), rows)

    def living(self) -> frozenset[tuple[str, ...]]:
        with self._engine.connect() as connection:
            return frozenset((str(number),) for number in connection.scalars(sa.select(self._table.c.id)))


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
        self.due = frozenset((f"{number:03}.wav",) for number in range(DUE))
        self.kept = frozenset((f"{number:03}.wav",) for number in range(DUE, DUE + KEPT))
        self._fill()
        self.keep_state()

    def reset(self) -> None:
        self.fresh_state()
        self._fill()

    def _fill(self) -> None:
        self._root.mkdir(exist_ok=True)
        for number, age in ages():
            file = self._root / f"{number:03}.wav"
            file.write_bytes(b"RIFF")
            os.utime(file, (age.timestamp(), age.timestamp()))

    def living(self) -> frozenset[tuple[str, ...]]:
        return frozenset((file.name,) for file in self._root.iterdir())


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
        self._fill()
        self.due, self.kept = self._keys(DUE, 0), self._keys(KEPT, DUE)
        self.keep_state()

    def reset(self) -> None:
        self.fresh_state()
        self._fill()

    def _fill(self) -> None:
        self._root.mkdir(exist_ok=True)
        lines: dict[int, list[str]] = {}
        for number, age in ages():
            lines.setdefault(number % 5, []).append(
                f'203.0.113.{number} - - [{age:%d/%b/%Y:%H:%M:%S} +0000] "GET /{number:03} HTTP/1.1" 200 1 "-" "-"\n'
            )
        for file, entries in lines.items():
            (self._root / f"{file}.log").write_text("".join(sorted(entries, reverse=True)), encoding="ascii")

    def _keys(self, count: int, first: int) -> frozenset[tuple[str, ...]]:
        return frozenset((f"{number:03}",) for number in range(first, first + count))

    def living(self) -> frozenset[tuple[str, ...]]:
        text = "".join(file.read_text(encoding="ascii") for file in self._root.glob("*.log"))
        return frozenset((line.split('"GET /')[1][:3],) for line in text.splitlines())


@pytest.fixture(scope="module", params=["sqlite", "postgresql", "files"])
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> World:
    """Each system in turn."""
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "files":
        return FileWorld(folder)
    if request.param == "sqlite":
        return SqlWorld(folder, sa.URL.create("sqlite", database=str(folder / "records.db")))
    return SqlWorld(folder, request.getfixturevalue("postgresql_of_module"))


def after_the_crash(world: World) -> None:
    """Start again: first what is in doubt is resolved, then the rest is done; both times log and world agree."""
    in_child(lambda: restart(world))
    check_truth(world)
    in_child(lambda: enforce(world))
    check_truth(world)
    assert not world.due & world.living()


def test_without_a_crash_everything_due_goes_and_the_log_says_so(world: World) -> None:
    world.reset()
    assert in_child(lambda: enforce(world))
    check_truth(world)
    assert world.living() == world.kept


@pytest.mark.parametrize("occurrence", [1, 2, 6])
@pytest.mark.parametrize("step", STEPS)
def test_a_kill_at_any_step_leaves_log_and_world_agreeing(world: World, step: str, occurrence: int) -> None:
    world.reset()
    lived = in_child(lambda: enforce(world), Kill(step, occurrence))
    once = step in {"run-started", "planned", "run-ended", "checkpointed"}
    assert lived == (once and occurrence > 1), "the failpoint was passed as often as expected"
    after_the_crash(world)


@pytest.mark.parametrize("occurrence", [1])
@pytest.mark.parametrize("step", ["resolve", "resolved"])
def test_a_kill_while_a_doubt_is_resolved_leaves_it_to_the_next_start(world: World, step: str, occurrence: int) -> None:
    world.reset()
    assert not in_child(lambda: enforce(world), Kill("acted", 2))
    assert not in_child(lambda: restart(world), Kill(step, occurrence))
    after_the_crash(world)


def test_a_kill_at_any_moment_leaves_log_and_world_agreeing(world: World) -> None:
    chance = random.Random(20261124)  # noqa: S311 - moments, no secrets
    world.reset()
    started = time.perf_counter()
    in_child(lambda: enforce(world))
    length = time.perf_counter() - started
    killed = 0
    for _ in range(KILLS):
        world.reset()
        killed += not in_child(lambda: enforce(world), chance.uniform(0.0, length))
        after_the_crash(world)
    assert killed > KILLS / 2, f"only {killed} of {KILLS} runs were killed before they ended"


def test_the_harness_notices_a_deletion_that_nobody_logged(world: World, forget: Callable[[World], None] = lambda _world: None) -> None:
    """A harness that could not fail would prove nothing."""
    forget(world)
