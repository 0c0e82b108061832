"""Whatever a connector does, what surrounds it tells no name, claims no act that was none, and recovers."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from support.workbench import START, Workbench, rule

from retentiond.audit import read_log
from retentiond.connector import (
    Action,
    Connector,
    ConnectorError,
    Cutoff,
    OutcomeUnknownError,
    Permit,
    RecordRef,
    Subject,
    Target,
    subject,
)
from retentiond.engine.evidence import log_place
from retentiond.engine.values import RunReport, Status
from retentiond.engine.workplace import Workplace, read_workplace
from retentiond.model.record import OutcomeKind
from retentiond.settings import load_settings
from retentiond.testing import MemoryStore, memory_connector
from retentiond.testing.hostile import CANARIES, KEYS, PERSONS, UNDATED, Mischief, hostile_connector, hostile_store

LONG_AGO = START - timedelta(days=900)
LEADS = Target("crm", "leads")


class Hostile(Workbench):
    """The installation of the engine's tests with a hostile CRM."""

    mischief = Mischief.NONE

    def __init__(self, folder: Path, mischief: Mischief = Mischief.NONE) -> None:
        super().__init__(folder, rule())
        self.mischief = mischief
        self.crm = hostile_store("leads", {"created": LONG_AGO, "closed": LONG_AGO})

    def workplace(self) -> Workplace:
        """Settings and policies with the hostile connector."""
        available = {
            "memory": hostile_connector(self.crm, self.mischief),
            "other": memory_connector(self.shop, name="other"),
        }
        return read_workplace(load_settings(self.folder / "settings.yaml"), available)

    def outcomes(self, report: RunReport) -> dict[OutcomeKind, int]:
        """What became of the records."""
        (step,) = report.steps
        return dict(step.outcomes)

    def canaries(self) -> set[str]:
        """The made-up names that stand in any file of the installation."""
        files = [file.read_bytes() for file in self.folder.rglob("*") if file.is_file()]
        return {canary for canary in CANARIES for form in _forms(canary) if any(form in file for file in files)}


def _forms(canary: str) -> tuple[bytes, ...]:
    """The canary as it may stand in a file: as it is, or as JSON writes it."""
    return canary.encode(), json.dumps(canary)[1:-1].encode()


def test_every_hostile_key_is_a_key_of_its_own() -> None:
    assert len(set(KEYS.values())) == len(KEYS)
    assert UNDATED not in KEYS.values()


def test_every_canary_is_in_some_key() -> None:
    assert all(any(canary in part for key in KEYS.values() for part in key) for canary in CANARIES)


def test_records_with_hostile_keys_go_and_their_names_stand_nowhere(tmp_path: Path) -> None:
    bench = Hostile(tmp_path)
    bench.approve()
    report = bench.run()
    assert bench.outcomes(report) == {OutcomeKind.CONFIRMED: len(KEYS)}
    assert bench.crm.keys("leads") == {UNDATED}
    assert bench.canaries() == set()
    assert bench.problems() == ()
    assert not [canary for canary in CANARIES if canary in repr(report)]


def test_the_log_tells_hostile_keys_apart(tmp_path: Path) -> None:
    bench = Hostile(tmp_path)
    bench.approve()
    bench.run()
    with read_log(log_place(bench.workplace().settings)) as log:
        found = {name: [entry.index for entry in log.find(LEADS, key) if "o" in entry.fields] for name, key in KEYS.items()}
    assert [name for name, indices in found.items() if len(indices) != 1] == []
    assert len({index for (index,) in found.values()}) == len(KEYS)


def hostile(store: MemoryStore, mischief: Mischief = Mischief.NONE) -> tuple[Connector, Any, Any]:
    """The connector with its options, all that its records tell included."""
    connector = hostile_connector(store, mischief)
    telling = {"dates": ["created"], "facts": ["note"], "subjects": ["email", "phone"]}
    return connector, connector.connection(), connector.options.model_validate(telling)


def about(mischief: Mischief, person: Subject) -> list[RecordRef]:
    store = hostile_store("leads", {"created": LONG_AGO})
    store.put("leads", "somebody else", {"created": LONG_AGO}, subjects=[Subject("email", "berta@person.example")])
    connector, connection, options = hostile(store, mischief)
    with connector.reader(connection, options, LEADS) as reader:
        return [ref for page in reader.about(person) for ref in page]


@pytest.mark.parametrize("person", sorted(PERSONS), ids=lambda person: person.kind)
def test_all_hostile_records_are_about_the_same_persons_and_show_none(person: Subject) -> None:
    assert subject(person.kind, person.value) == person
    refs = about(Mischief.NONE, person)
    assert {ref.key for ref in refs} == {*KEYS.values(), UNDATED}
    assert not [canary for canary in CANARIES if canary in repr(refs)]


def test_records_of_others_are_found_and_tell_that_they_are() -> None:
    (person, *_) = PERSONS
    others = [ref for ref in about(Mischief.OTHERS_FOUND, person) if person not in ref.subjects]
    assert [ref.key for ref in others] == [("somebody else",)]


def test_a_search_for_a_person_fails_as_any_search() -> None:
    with pytest.raises(ConnectorError):
        about(Mischief.TELLING_ERROR, Subject("email", "berta@person.example"))
    with pytest.raises(KeyError):
        about(Mischief.ODD_EXCEPTION, Subject("email", "berta@person.example"))


@pytest.mark.parametrize(
    "mischief", [Mischief.TOO_FEW_ANSWERS, Mischief.TOO_MANY_ANSWERS, Mischief.DONE_AND_NOBODY_SAYS_HOW, Mischief.UNKNOWN_CODE]
)
@pytest.mark.parametrize("action", [Action.BLOCK, Action.UNBLOCK])
def test_answers_to_block_and_unblock_that_make_no_sense_leave_nobody_knowing(mischief: Mischief, action: Action) -> None:
    store = hostile_store("leads", {"created": LONG_AGO})
    connector, connection, options = hostile(store, mischief)
    assert connector.blocker is not None
    with connector.reader(connection, options, LEADS) as reader, connector.blocker(connection, options, LEADS) as blocker:
        refs = [ref for page in reader.find(Cutoff("created", START, START.date()), Action.BLOCK) for ref in page]
        for stored in store.datasets["leads"].values():
            stored.blocked = action is Action.UNBLOCK
        act = blocker.block if action is Action.BLOCK else blocker.unblock
        with pytest.raises(OutcomeUnknownError) as caught:
            act(refs, Permit("test.1", action, LEADS, refs))
    assert not [canary for canary in CANARIES if canary in str(caught.value)]


def test_a_plan_file_holds_no_name(tmp_path: Path) -> None:
    bench = Hostile(tmp_path)
    bench.plan_file()
    assert bench.canaries() == set()


@pytest.mark.parametrize("mischief", [Mischief.TELLING_ERROR, Mischief.FAILING_HALFWAY])
def test_a_search_that_fails_deletes_nothing(tmp_path: Path, mischief: Mischief) -> None:
    bench = Hostile(tmp_path, mischief)
    bench.approve()
    report = bench.run()
    assert report.exit_status == 1
    assert bench.outcomes(report) == {}
    assert len(bench.crm.keys("leads")) == len(KEYS) + 1


@pytest.mark.parametrize("mischief", [Mischief.NEGATIVE_COUNT, Mischief.HUGE_COUNT])
def test_counts_that_make_no_sense_fail_the_step_alone(tmp_path: Path, mischief: Mischief) -> None:
    bench = Hostile(tmp_path, mischief)
    bench.approve()
    report = bench.run()
    assert (report.exit_status, report.steps[0].status) == (1, Status.FAILED)
    assert "a defect of it" in report.steps[0].reasons[0]
    assert len(bench.crm.keys("leads")) == len(KEYS) + 1


def test_more_due_than_there_are_is_refused(tmp_path: Path) -> None:
    bench = Hostile(tmp_path, Mischief.TWICE)
    bench.approve()
    assert bench.run().exit_status == 4
    assert len(bench.crm.keys("leads")) == len(KEYS) + 1


def test_a_record_without_a_date_stays_though_the_search_yields_it(tmp_path: Path) -> None:
    bench = Hostile(tmp_path, Mischief.UNDATED_FOUND)
    bench.approve()
    bench.run()
    assert UNDATED in bench.crm.keys("leads")


@pytest.mark.parametrize(
    ("mischief", "found"),
    [
        (Mischief.TOO_FEW_ANSWERS, OutcomeKind.ALREADY_ABSENT),
        (Mischief.TOO_MANY_ANSWERS, OutcomeKind.ALREADY_ABSENT),
        (Mischief.DONE_AND_NOBODY_SAYS_HOW, OutcomeKind.ALREADY_ABSENT),
        (Mischief.UNKNOWN_CODE, OutcomeKind.FAILED),
    ],
)
def test_answers_that_make_no_sense_confirm_nothing_and_the_records_are_looked_up(
    tmp_path: Path, mischief: Mischief, found: OutcomeKind
) -> None:
    bench = Hostile(tmp_path, mischief)
    bench.approve()
    report = bench.run()
    assert bench.outcomes(report) == {found: len(KEYS)}
    assert bench.problems() == ()
    assert bench.canaries() == set()


@pytest.mark.parametrize("mischief", [Mischief.NEVER_ANSWERS, Mischief.NEVER_READY])
def test_what_never_happens_is_never_claimed(tmp_path: Path, mischief: Mischief) -> None:
    bench = Hostile(tmp_path, mischief)
    bench.approve()
    report = bench.run()
    assert report.exit_status == 1
    assert bench.outcomes(report) == {OutcomeKind.FAILED: len(KEYS)}
    assert len(bench.crm.keys("leads")) == len(KEYS) + 1
    assert bench.canaries() == set()


def test_a_read_back_that_answers_for_too_few_confirms_nothing(tmp_path: Path) -> None:
    bench = Hostile(tmp_path, Mischief.TOO_FEW_PRESENCES)
    bench.approve()
    report = bench.run()
    assert report.exit_status == 1
    assert bench.outcomes(report) == {OutcomeKind.UNVERIFIED: len(KEYS)}


@pytest.mark.parametrize(
    ("mischief", "error"),
    [
        (Mischief.ODD_EXCEPTION, KeyError),
        (Mischief.ODD_EXCEPTION_WHILE_ACTING, UnicodeDecodeError),
    ],
)
def test_after_nonsense_the_next_run_settles_what_was_left(tmp_path: Path, mischief: Mischief, error: type[Exception]) -> None:
    bench = Hostile(tmp_path, mischief)
    bench.approve()
    report = bench.run()
    assert [type(bug) for bug in report.bugs] == [error]
    assert (report.exit_status, report.steps[0].status) == (3, Status.FAILED)
    assert bench.problems() == ()
    bench.mischief = Mischief.NONE
    bench.later(timedelta(hours=1))
    bench.run()
    assert bench.crm.keys("leads") == {UNDATED}
    assert bench.problems() == ()
    assert bench.canaries() == set()


def test_a_slow_system_makes_whoever_asks_wait() -> None:
    waited: list[None] = []
    store = hostile_store("leads", {"created": LONG_AGO})
    connector = hostile_connector(store, Mischief.SLOW, wait=lambda: waited.append(None))
    options = connector.options.model_validate({"dates": ["created"]})
    with connector.reader(connector.connection(), options, LEADS) as reader:
        pages = list(reader.find(Cutoff("created", START, START.date()), Action.DELETE))
    assert len(waited) == len(pages) > 1
