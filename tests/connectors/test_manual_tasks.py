"""Tasks come and go by persons' words, recurring ones come again, and a damaged register is never an empty one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from retentiond.connector import (
    Action,
    Answer,
    ConfigurationError,
    ConnectorError,
    Cutoff,
    How,
    OutcomeUnknownError,
    Permit,
    RecordRef,
    RetentionPeriod,
    Said,
    Target,
    TransientConnectorError,
)
from retentiond_manual import connector
from retentiond_manual.keeping import ManualTasks
from retentiond_manual.options import ManualConnection, ManualOptions, Recurrence
from retentiond_manual.register import Kept, Register, Word, alone, read, write
from retentiond_manual.tasks import next_of

TARGET = Target("finom", "yearly")
NOW = datetime(2027, 2, 1, 12, tzinfo=UTC)
WORD = Said(NOW, "staff-1", "C-1")
RECURS = {"recurs": {"first": "2027-01-31", "every": "P1M"}}


class Desk:
    """A register with its roles."""

    def __init__(self, folder: Path, **more: Any) -> None:
        folder.mkdir(mode=0o700)
        self.folder = folder
        self.connection = ManualConnection.model_validate({"register": str(folder)})
        self.options = ManualOptions.model_validate({"owner": "books", "instructions": "Do it.", "within": "P14D", **more})

    @property
    def tasks(self) -> ManualTasks:
        return ManualTasks(self.connection, self.options, TARGET)

    def keys(self) -> dict[str, bool]:
        return {task.ref.key[0]: task.done for task in self.tasks.tasks()}

    def refs(self) -> list[RecordRef]:
        with connector.reader(self.connection, self.options, TARGET) as reader:
            far = Cutoff("due_on", datetime(9000, 1, 1, tzinfo=UTC), date(9000, 1, 1))
            return [ref for page in reader.find(far, Action.DELETE) for ref in page]

    def delete(self, *refs: RecordRef) -> list[Answer]:
        assert connector.deleter is not None
        with connector.deleter(self.connection, self.options, TARGET) as deleter:
            return deleter.delete(refs, Permit("b1", Action.DELETE, TARGET, refs))

    def findings(self) -> list[str]:
        with connector.reader(self.connection, self.options, TARGET) as reader:
            return [finding.what for finding in reader.preflight(Action.DELETE)]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "register")


def test_a_task_goes_at_a_persons_word_and_never_without(desk: Desk) -> None:
    desk.tasks.add("K-1", {"due_on": date(2027, 1, 31)})
    (ref,) = desk.refs()
    assert ref.facts == {"done": False}
    assert desk.delete(ref) == [Answer.failed("refused")]
    desk.tasks.finish("K-1", WORD)
    assert desk.delete(ref) == [Answer.changed()]
    (ref,) = desk.refs()
    assert ref.facts == {"done": True}
    assert desk.delete(ref) == [Answer.done(How.OPERATOR)]
    assert desk.keys() == {}
    assert "K-1" not in (desk.folder / "finom.yearly.json").read_text()


def test_a_recurring_task_comes_again_with_its_next_date(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "register", **RECURS)
    for key in ("recurs@2027-01-31", "recurs@2027-02-28", "recurs@2027-03-31"):
        assert desk.keys() == {key: False}
        desk.tasks.finish(key, WORD)
        assert desk.keys() == {key: True}
        assert desk.delete(*desk.refs()) == [Answer.done(How.OPERATOR)]
    assert desk.keys() == {"recurs@2027-04-30": False}


periods = st.builds(RetentionPeriod, years=st.integers(0, 2), months=st.integers(0, 13), days=st.integers(0, 40)).filter(
    lambda period: period.shortest_days > 0
)


@given(st.dates(date(2000, 1, 1), date(2100, 1, 1)), periods, st.integers(1, 12))
def test_no_date_of_a_recurring_task_is_left_out_or_comes_twice(first: date, every: RetentionPeriod, rounds: int) -> None:
    recurs = Recurrence(first=first, every=every)
    days: list[date] = []
    for _ in range(rounds):
        day = next_of(recurs, days[-1] if days else None)
        assert day is not None
        days.append(day)
    assert days[0] == first
    assert all(every.shortest_days <= (later - sooner).days for sooner, later in pairwise(days))
    assert all((later - sooner).days <= every.longest_days for sooner, later in pairwise(days))
    assert next_of(recurs, date.max) is None


@pytest.mark.parametrize(
    ("key", "dates", "words"),
    [
        ("K-1", {"due_on": date(2027, 1, 1)}, "There is such a task"),
        ("K-2", {}, "needs a date"),
        ("K-2", {"born_on": date(2027, 1, 1)}, "has no date 'born_on'; it can have: due_on"),
        (" ", {"due_on": date(2027, 1, 1)}, "A key is one line"),
        ("a\nb", {"due_on": date(2027, 1, 1)}, "A key is one line"),
        ("x" * 201, {"due_on": date(2027, 1, 1)}, "A key is one line"),
        ("recurs@2027-01-31", {"due_on": date(2027, 1, 1)}, "A key is one line"),
    ],
)
def test_what_cannot_be_a_task_is_refused(desk: Desk, key: str, dates: Mapping[str, date], words: str) -> None:
    desk.tasks.add("K-1", {"due_on": date(2027, 1, 31)})
    with pytest.raises(ConfigurationError, match=words):
        desk.tasks.add(key, dates)
    assert desk.keys() == {"K-1": False}


def test_a_word_is_for_an_open_task_and_given_once(desk: Desk) -> None:
    desk.tasks.add("K-1", {"due_on": date(2027, 1, 31)})
    with pytest.raises(ConfigurationError, match="no open task"):
        desk.tasks.finish("K-2", WORD)
    desk.tasks.finish("K-1", WORD)
    with pytest.raises(ConfigurationError, match="no open task"):
        desk.tasks.finish("K-1", WORD)


GOOD = {"version": 1, "dataset": "finom/yearly", "settled": None, "word": None, "tasks": []}
ENTRY = {"key": "a", "dates": {"due_on": "2027-01-31"}, "word": None}


@pytest.mark.parametrize(
    "damage",
    [
        "",
        "{",
        "[]",
        "null",
        json.dumps(GOOD | {"version": 2}),
        json.dumps(GOOD | {"dataset": "finom/other"}),
        json.dumps(GOOD | {"settled": "2027-02-30"}),
        json.dumps(GOOD | {"tasks": None}),
        json.dumps(GOOD | {"tasks": [ENTRY, ENTRY]}),
        json.dumps(GOOD | {"tasks": [ENTRY | {"dates": {"due_on": 5}}]}),
        json.dumps(GOOD | {"tasks": [ENTRY | {"word": True}]}),
        json.dumps(GOOD | {"tasks": [ENTRY | {"word": {"at": "", "by": "", "evidence": "", "document": "x"}}]}),
        json.dumps({name: value for name, value in GOOD.items() if name != "tasks"}),
    ],
)
def test_a_damaged_register_is_an_error_and_no_empty_one(desk: Desk, damage: str) -> None:
    (desk.folder / "finom.yearly.json").write_text(damage)
    for look in (desk.keys, desk.refs, desk.findings, lambda: desk.tasks.add("K", {"due_on": date(2027, 1, 1)})):
        with pytest.raises(ConnectorError, match="is damaged; restore it"):
            look()
    assert (desk.folder / "finom.yearly.json").read_text() == damage


days = st.dates(date(1970, 1, 1), date(2200, 1, 1))
words = st.builds(Word, st.text(), st.text(), st.text(), st.sampled_from([None, "0" * 64]))
registers = st.builds(
    Register,
    st.dictionaries(st.text(), st.builds(Kept, st.dictionaries(st.text(), days | st.none()), words | st.none()), max_size=4),
    days | st.none(),
    words | st.none(),
)


@settings(max_examples=25)
@given(register=registers)
def test_what_was_written_is_read(tmp_path_factory: pytest.TempPathFactory, register: Register) -> None:
    folder = tmp_path_factory.mktemp("register")
    write(folder, TARGET, register)
    assert read(folder, TARGET) == register


def test_whoever_writes_meanwhile_is_waited_for_and_nothing_is_lost(desk: Desk) -> None:
    with alone(desk.folder, TARGET), pytest.raises(TransientConnectorError, match="written by somebody else"):
        desk.tasks.add("K-1", {"due_on": date(2027, 1, 31)})
    assert desk.keys() == {}


def test_a_write_that_may_have_happened_is_told_as_unknown(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.tasks.add("K-1", {"due_on": date(2027, 1, 31)})

    def lost(_self: Path, _target: Path) -> None:
        raise OSError

    monkeypatch.setattr(Path, "replace", lost)
    with pytest.raises(OutcomeUnknownError, match="cannot be told"):
        desk.tasks.finish("K-1", WORD)


def test_the_plan_is_told_who_has_to_do_what(desk: Desk) -> None:
    assert desk.findings() == ["Nobody ever entered a task of finom/yearly: `retentiond task add`."]
    desk.tasks.add("Anna Muster", {"due_on": date(2027, 1, 31)})
    assert desk.findings() == ["1 task of finom/yearly is open for books, the first dated 2027-01-31: Do it."]
    desk.tasks.add("K-2", {"due_on": date(2026, 1, 31)})
    assert desk.findings() == ["2 tasks of finom/yearly are open for books, the first dated 2026-01-31: Do it."]
    for key in ("Anna Muster", "K-2"):
        desk.tasks.finish(key, WORD)
    assert desk.findings() == []


def test_a_register_that_others_reach_is_refused(desk: Desk) -> None:
    desk.folder.chmod(0o750)
    assert "make its directory mode 0700" in desk.findings()[0]


@pytest.mark.parametrize(
    "wrong",
    [
        {"within": "PT5H"},
        {"recurs": {"first": "2027-01-31", "every": "P0D"}},
        {"recurs": {"first": "2027-01-31", "every": "PT5H"}},
        {"dates": []},
        {"dates": ["Due On"]},
        {"owner": ""},
    ],
)
def test_wrong_options_are_refused(tmp_path: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Desk(tmp_path / "register", **wrong)


def test_the_register_is_an_absolute_directory() -> None:
    for path in ("tasks", "/", "/var/../etc"):
        with pytest.raises(ValidationError, match="absolute path"):
            ManualConnection.model_validate({"register": path})
