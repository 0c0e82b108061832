"""What was done to records is found again by the records, whole and exactly, and nothing is left on the disk."""

from __future__ import annotations

import tempfile
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retentiond.audit import DeletionLog, Intent, LogPlace, open_log, open_past
from retentiond.errors import StateError
from retentiond.model.record import Action, How, Outcome, OutcomeKind, RecordRef, Target

NOW = datetime(2026, 3, 1, 3, 17, tzinfo=UTC)
LEADS, LETTERS = Target("crm", "leads"), Target("crm", "letters")
OUTCOMES = {
    OutcomeKind.CONFIRMED: Outcome(OutcomeKind.CONFIRMED, How.RETURNING),
    OutcomeKind.PENDING_COPIES: Outcome(OutcomeKind.PENDING_COPIES, How.UNLINK, until=NOW + timedelta(days=30)),
    OutcomeKind.ALREADY_ABSENT: Outcome(OutcomeKind.ALREADY_ABSENT, How.PROBE),
    OutcomeKind.UNVERIFIED: Outcome(OutcomeKind.UNVERIFIED, How.RESPONSE, rows=7),
    OutcomeKind.CHANGED: Outcome(OutcomeKind.CHANGED),
    OutcomeKind.HELD: Outcome(OutcomeKind.HELD, again=0),
    OutcomeKind.FAILED: Outcome(OutcomeKind.FAILED, code="referenced"),
}
UNTOUCHED = {OutcomeKind.CHANGED, OutcomeKind.HELD, OutcomeKind.FAILED}


@pytest.fixture
def place(tmp_path: Path) -> LogPlace:
    return LogPlace(tmp_path / "state", None, "past.example/retentiond/test")


def record(key: int, identity: str | None = "born") -> RecordRef:
    return RecordRef((str(key),), identity=() if identity is None else (f"{key} {identity}",))


def write(
    log: DeletionLog,
    records: list[RecordRef],
    outcomes: list[OutcomeKind],
    at: datetime,
    *,
    target: Target = LEADS,
    action: Action = Action.DELETE,
) -> Intent:
    """Write a whole batch."""
    run = str(uuid.uuid4())
    intent = Intent(run, "rule@0123456789abcdef", "d" * 64, "p" * 64, target.system, target.dataset, action, NOW)
    log.conclude(log.intend(intent, records, at), [OUTCOMES[kind] for kind in outcomes], at)
    return intent


batch = st.tuples(
    st.sampled_from([LEADS, LETTERS]),
    st.sampled_from(list(Action)),
    st.integers(0, 5),
    st.lists(
        st.tuples(st.integers(0, 9), st.sampled_from(["one", "other", None]), st.sampled_from(OutcomeKind)),
        min_size=1,
        max_size=5,
        unique_by=lambda one: one[0],
    ),
    st.booleans(),
)


@settings(max_examples=25, deadline=None)
@given(st.lists(batch, max_size=8), st.integers(0, 6), st.sets(st.integers(0, 9)), st.sampled_from(["one", None]))
def test_every_act_since_the_backup_is_found_and_no_other(
    batches: list[tuple[Target, Action, int, list[tuple[int, str | None, OutcomeKind]], bool]],
    days: int,
    about: set[int],
    identity: str | None,
) -> None:
    since = NOW + timedelta(days=days)
    wanted: dict[int, list[tuple[Action, OutcomeKind, bool | None]]] = {key: [] for key in range(10)}
    at = NOW
    with tempfile.TemporaryDirectory() as folder:
        place = LogPlace(Path(folder) / "state", None, "past.example/retentiond/test")
        with open_log(place, NOW, "test") as log:
            for target, action, later, records, turn in batches:
                at += timedelta(days=later)
                if turn:
                    log.rotate(at)
                refs = [record(key, one) for key, one, _ in records]
                write(log, refs, [kind for _, _, kind in records], at, target=target, action=action)
                for key, one, kind in records:
                    if target == LEADS and at >= since and kind not in UNTOUCHED:
                        same = None if one is None or identity is None else one == identity
                        wanted[key].append((action, kind, same))
            log.checkpoint(at)
        asked = [record(key, identity) for key in range(10)]
        with open_past(place, LEADS, since) as past:
            found = [[(act.action, act.outcome, act.same) for act in acts] for acts in past.acts(asked)]
            assert past.empty is (not any(wanted.values()))
        assert found == list(wanted.values())
        some = [asked[key] for key in sorted(about)]
        with open_past(place, LEADS, since, about=some) as past:
            found = [[(act.action, act.outcome, act.same) for act in acts] for acts in past.acts(some)]
        assert found == [wanted[key] for key in sorted(about)]
        assert not list(place.state.glob(".replay*"))


def test_an_act_tells_its_entry_its_intent_and_its_moment(place: LogPlace) -> None:
    with open_log(place, NOW, "test") as log:
        intent = write(log, [record(1), record(2)], [OutcomeKind.FAILED, OutcomeKind.CONFIRMED], NOW)
    with open_past(place, LEADS) as past:
        ((), (act,)) = past.acts([record(1), record(2)])
    assert (act.index, act.intent, act.concluded, act.same) == (3, intent, NOW, True)


def test_what_was_concluded_within_the_second_of_the_backup_counts_as_later(place: LogPlace) -> None:
    with open_log(place, NOW, "test") as log:
        write(log, [record(1)], [OutcomeKind.CONFIRMED], NOW + timedelta(microseconds=900_000))
    with open_past(place, LEADS, NOW + timedelta(microseconds=800_000)) as past:
        assert past.acts([record(1)])[0]


def test_outcomes_of_an_epoch_that_was_shredded_are_counted_as_lost(place: LogPlace) -> None:
    with open_log(place, NOW, "test") as log:
        write(log, [record(1), record(2)], [OutcomeKind.CONFIRMED, OutcomeKind.CHANGED], NOW)
        log.rotate(NOW)
        write(log, [record(3)], [OutcomeKind.CONFIRMED], NOW)
        log.checkpoint(NOW)
        log.shred("2026-1", NOW)
    with open_past(place, LEADS) as past:
        assert [bool(acts) for acts in past.acts([record(1), record(2), record(3)])] == [False, False, True]
        assert (past.lost, past.begins) == (1, None)


def test_from_when_on_a_pruned_log_tells_is_known(place: LogPlace) -> None:
    with open_log(place, NOW, "test") as log:
        for day in range(300):
            write(log, [record(day)], [OutcomeKind.CONFIRMED], NOW + timedelta(days=day))
        log.checkpoint(NOW)
        log.prune("log@0123456789abcdef", lambda at: at < NOW + timedelta(days=200), lambda _fields: False, NOW)
    with open_past(place, LEADS) as past:
        assert past.begins is not None
        assert NOW + timedelta(days=100) < past.begins <= NOW + timedelta(days=200)
        kept = [bool(acts) for acts in past.acts([record(day) for day in range(300)])]
    assert kept == [False] * 200 + [True] * 100


def test_where_nothing_can_be_laid_out_it_says_so(place: LogPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_log(place, NOW, "test"):
        pass

    def refuse(**_words: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tempfile, "mkstemp", refuse)
    with pytest.raises(StateError, match="No space left"), open_past(place, LEADS):
        pass


def test_it_takes_no_other_data_set_for_the_one_that_is_asked_about(place: LogPlace) -> None:
    with open_log(place, NOW, "test") as log:
        write(log, [record(1)], [OutcomeKind.CONFIRMED], NOW)
    with open_past(place, replace(LEADS, dataset="lead")) as past:
        assert past.empty
        assert past.acts([record(1)]) == [[]]
