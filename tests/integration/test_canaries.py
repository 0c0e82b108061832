"""Personal data goes nowhere: strings that stand in every record are looked for in all that retentiond writes and says.

Looked for is the stem that all of them share, in every spelling in which it could be written down by accident.
"""

from __future__ import annotations

import base64
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from support.crash import Kill, in_child
from support.services import Server, fresh_mariadb, fresh_postgresql

from retentiond.audit import log as log_module
from retentiond.cli.main import main
from retentiond.engine import executor
from retentiond.logs import configure

STEM = "kanarie"

NAMES = (
    "kanarie.müller+{0}@beispiel.example",
    "Dr. Jörg O'Kanarie; DROP TABLE people; --{0}",
    'kanarie "{0}" %s {{0}} ${{HOME}}',
    "../kanarie/{0}",
    "kanarie-{0}",
)
"""Shapes of keys and contents; each has the stem."""

ASKED = {
    "explain": "a person asks about one record by its key, and is told about it",
    "hold list": "a person asks what holds are about",
    "request show": "a person asks whom a request is about",
    "review list": "a person has to decide about these very records",
}
"""The commands that may tell what others must not, with the reason; none of them is called here but `explain`."""

POLICY = """\
policy: canaries
title: {{de: Vögel, en: birds}}
purpose: test
basis: ["Art. 5(1)(e) GDPR"]
notice: test
zone: Europe/Berlin
valid_from: "2025-01-01"
rules:
  - id: birds
    data_kind: {{de: Vögel, en: birds}}
    categories: [master-data]
    target: {{system: store, dataset: records}}
    starts: {starts}
    keep_at_least: none
    delete_after: {{period: P1Y, counted: day-end}}
    action: delete
    limits: {{share: 100%, records: 1000, undatable: 100%}}
    approval: rule
"""

SETTINGS = """\
policies: policies
state: state
{state}origin: canary.example/retentiond/test
batch_size: 4
systems:
  store:
{system}
"""

NOW = datetime.now(UTC)


def spellings(stem: str) -> dict[str, bytes]:
    """The stem in the spellings in which it could stand somewhere, in small letters."""
    found = {"plain": stem.encode(), "utf-16": stem.encode("utf-16-le"), "hex": stem.encode().hex().encode()}
    for shift in range(3):
        # Three bytes are encoded at a time, and only those groups are the same whatever stands around the stem.
        begin = -shift % 3
        whole = stem[begin : begin + (len(stem) - begin) // 3 * 3]
        found[f"base64, {shift}"] = base64.b64encode(whole.encode()).lower()
    return found


def hits(content: bytes) -> list[str]:
    """In which spellings the stem stands in it."""
    small = content.lower()
    return [how for how, needle in spellings(STEM).items() if needle in small]


@dataclass
class Aviary:
    """A system full of canaries, with settings and state; everything that was said is kept."""

    folder: Path
    fill: Callable[[], None]
    sabotage: Callable[[], None]
    """Has the system answer the next act with an error whose text has the stem."""
    dump: Callable[[], bytes]
    """What the state holds outside the folder."""
    said: bytes = b""

    def prepare(self, starts: str, system: str, state: str = "") -> None:
        (self.folder / "policies").mkdir()
        (self.folder / "policies" / "birds.yaml").write_text(POLICY.format(starts=starts), encoding="utf-8")
        (self.folder / "settings.yaml").write_text(SETTINGS.format(system=system, state=state), encoding="utf-8")

    def found(self) -> dict[str, list[str]]:
        """Where the stem stands among all that was written and said."""
        places = {str(file): file.read_bytes() for file in self.written()}
        places |= {"names of files": "\n".join(places).encode(), "what was said": self.said, "the state's database": self.dump()}
        return {place: how for place, content in places.items() if (how := hits(content))}

    def written(self) -> Iterator[Path]:
        for folder in ("state", "out", "tmp"):
            yield from (file for file in (self.folder / folder).rglob("*") if file.is_file())


def sql_aviary(folder: Path, url: sa.URL, state: str = "", dump: Callable[[], bytes] = lambda: b"") -> Aviary:
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    text = sa.String(200)
    table = sa.Table(
        "people",
        sa.MetaData(),
        sa.Column("id", text, primary_key=True),
        sa.Column("mail", text),
        sa.Column("kanarie_note", text),
        sa.Column("created", sa.DateTime(timezone=url.get_backend_name() == "postgresql")),
    )
    table.metadata.create_all(engine)

    def fill() -> None:
        born = NOW - timedelta(days=500)
        rows = [
            {
                "id": name.format(number),
                "mail": f"kanarie{number}@beispiel.example",
                "kanarie_note": "Köln, O'Kanarie",
                "created": born if url.get_backend_name() == "postgresql" else born.replace(tzinfo=None),
            }
            for number, name in enumerate(NAMES * 3)
        ]
        with engine.begin() as connection:
            connection.execute(sa.delete(table))
            connection.execute(sa.insert(table), rows)

    def sabotage() -> None:
        with engine.begin() as connection:
            for statement in REFUSALS[url.get_backend_name()]:
                connection.exec_driver_sql(statement)

    aviary = Aviary(folder, fill, sabotage, dump)
    kind = "timestamp" if url.get_backend_name() == "postgresql" else "local-timestamp"
    zone = "" if kind == "timestamp" else ", zone: UTC"
    shown = url.set(drivername=url.get_backend_name()).render_as_string()
    aviary.prepare(
        "created",
        f"""\
    connector: sql
    connection: {{url: "{shown}", copies: []}}
    datasets:
      records:
        table: people
        key: [id]
        subjects: {{email: mail}}
        dates:
          created: {{column: created, kind: {kind}{zone}}}
""",
        state,
    )
    return aviary


REFUSALS = {
    "sqlite": ("CREATE TRIGGER no_delete BEFORE DELETE ON people BEGIN SELECT RAISE(ABORT, 'kanarie refuses'); END",),
    "postgresql": (
        (
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION USING MESSAGE = 'kanarie ' || OLD.mail, ERRCODE = 'integrity_constraint_violation'; END $$"
        ),
        "CREATE TRIGGER no_delete BEFORE DELETE ON people FOR EACH ROW EXECUTE FUNCTION refuse()",
    ),
    "mysql": (
        (
            "CREATE TRIGGER no_delete BEFORE DELETE ON people FOR EACH ROW "
            "SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'kanarie refuses'"
        ),
    ),
}
"""A database that refuses in words of its own."""


def file_aviary(folder: Path, *, lines: bool) -> Aviary:
    root = folder / "birds"

    def fill() -> None:
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir()
        age = NOW - timedelta(days=500)
        for number in range(15):
            file = root / f"kanarie.müller+{number}@beispiel'.example.log"
            line = f'203.0.113.7 - kanarie [{age:%d/%b/%Y:%H:%M:%S} +0000] "GET /?mail=kanarie@x HTTP/1.1" 200 1 "-" "-"\n'
            file.write_text(line * 3, encoding="utf-8")
            os.utime(file, (age.timestamp(), age.timestamp()))

    def sabotage() -> None:
        for number, file in enumerate(sorted(root.iterdir())):
            file.unlink()
            file.mkdir() if number % 2 else file.symlink_to("/kanarie/nowhere")

    aviary = Aviary(folder, fill, sabotage, lambda: b"")
    record = "line, source: {from: content, format: nginx-combined}, quiet_minutes: 0" if lines else "file, source: {from: mtime}"
    aviary.prepare(
        "entry" if lines else "written",
        f"""\
    connector: files
    connection: {{root: {root}}}
    datasets:
      records: {{include: ["*.log"], record: {record}}}
""",
    )
    return aviary


def dumped(url: sa.URL) -> bytes:
    """Everything that stands in the tables of a database."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        rows = [
            bytes(value) if isinstance(value, memoryview | bytes) else str(value).encode()
            for table in sa.inspect(connection).get_table_names()
            for row in connection.execute(sa.text(f'SELECT * FROM "{table}"'))  # noqa: S608 - names of the schema
            for value in row
        ]
    return b"\n".join(rows)


@pytest.fixture(params=["sqlite", "postgresql", "mariadb", "files", "lines", "postgresql-state"])
def aviary(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Aviary]:
    """Each kind of system in turn, filled, its rule approved; temporary files go where they are looked at, too."""
    kind, sqlite = request.param, sa.URL.create("sqlite", database=str(tmp_path / "people.db"))
    (tmp_path / "tmp").mkdir()
    (tmp_path / "out").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    monkeypatch.setenv("RETENTIOND_SETTINGS", str(tmp_path / "settings.yaml"))
    if kind in {"files", "lines"}:
        made = file_aviary(tmp_path, lines=kind == "lines")
        made.fill()
        yield made
        return
    if kind == "sqlite":
        made = sql_aviary(tmp_path, sqlite)
        made.fill()
        yield made
        return
    server: Server = request.getfixturevalue("mariadb_server" if kind == "mariadb" else "postgresql_server")
    with closing((fresh_mariadb if kind == "mariadb" else fresh_postgresql)(server)) as making:
        url = next(making)
        if kind == "postgresql-state":
            made = sql_aviary(tmp_path, sqlite, f"database: {url.render_as_string()}\n", lambda: dumped(url))
        else:
            made = sql_aviary(tmp_path, url)
        made.fill()
        yield made


def told(aviary: Aviary, capture: pytest.CaptureFixture[str], *words: str) -> int:
    """Call the program; what it says is kept."""
    status = main(words)
    out, err = capture.readouterr()
    aviary.said += f"\n$ retentiond {' '.join(words)}\n{out}{err}".encode()
    return status


EVERYTHING = (
    ("check",),
    ("plan",),
    ("plan", "--json"),
    ("systems",),
    ("status",),
    ("status", "--json"),
    ("audit", "list"),
    ("audit", "list", "--json"),
    ("audit", "show", "3"),
    ("audit", "verify"),
    ("audit", "verify", "--json"),
)
"""Every command that reads and is not in `ASKED`."""


def say_everything(aviary: Aviary, capture: pytest.CaptureFixture[str]) -> None:
    for words in EVERYTHING:
        told(aviary, capture, *words)


def test_nothing_of_a_record_is_written_or_said(aviary: Aviary, capfd: pytest.CaptureFixture[str]) -> None:
    assert told(aviary, capfd, "approve", "rule", "--all", "--by", "staff-1") == 0
    configure("json", "debug")
    told(aviary, capfd, "plan", "-o", str(aviary.folder / "out" / "plan.json"))
    told(aviary, capfd, "approve", "plan", str(aviary.folder / "out" / "plan.json"), "--by", "staff-1")
    say_everything(aviary, capfd)
    # Killed between the intent and its conclusion: keys are put aside, and what is left of them is looked at.
    assert not in_child(lambda: main(["run"]), Kill("acted", 1))
    assert aviary.found() == {}
    say_everything(aviary, capfd)
    aviary.sabotage()
    told(aviary, capfd, "run", "--json")
    say_everything(aviary, capfd)
    told(aviary, capfd, "audit", "export", str(aviary.folder / "out" / "export"))
    assert aviary.found() == {}
    assert b"intent" in aviary.said, "nothing was tried"


def test_nothing_of_a_record_is_in_what_a_bug_leaves(
    aviary: Aviary, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    told(aviary, capfd, "approve", "rule", "--all", "--by", "staff-1")

    def stumble(*_words: object) -> None:
        raise ValueError(f"a bug that knows {STEM}@beispiel.example")

    monkeypatch.setattr(executor, "judge_all", stumble)
    assert told(aviary, capfd, "run") != 0
    configure("json", "debug")
    told(aviary, capfd, "run", "--json")
    assert b"bug" in aviary.said
    assert aviary.found() == {}


def test_a_person_who_asks_about_one_record_is_told(aviary: Aviary, capfd: pytest.CaptureFixture[str]) -> None:
    """The looking finds what is there: `explain` names the record, and the system is full of it."""
    key = next(iter((aviary.folder / "birds").iterdir())).name if (aviary.folder / "birds").exists() else NAMES[0].format(0)
    told(aviary, capfd, "explain", "store/records", key, "--json")
    assert "what was said" in aviary.found()


@pytest.mark.parametrize("how", spellings(STEM))
def test_the_stem_is_found_in_every_spelling(how: str) -> None:
    name = f"Frau {STEM.upper()}-Müller"
    contents = {
        "plain": name.encode(),
        "utf-16": name.encode("utf-16-le"),
        "hex": name.lower().encode().hex().encode(),
        **{f"base64, {shift}": base64.b64encode(b"x" * ((shift - 5) % 3) + name.lower().encode()) for shift in range(3)},
    }
    assert how in hits(b"\0" + contents[how] + b"\n")


def test_keys_that_are_put_aside_unsealed_are_found(
    aviary: Aviary, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control."""
    told(aviary, capfd, "approve", "rule", "--all", "--by", "staff-1")
    monkeypatch.setattr(log_module, "sealed", lambda _secret, plain, _bound: plain)
    assert not in_child(lambda: main(["run"]), Kill("acted", 1))
    assert aviary.found()
