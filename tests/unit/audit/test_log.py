"""The one writer: what it has said is durable, and it says nothing that cannot be known."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from support.deletion_log import (
    CONFIRMED,
    DIGEST,
    NOW,
    ORIGIN,
    RUN,
    TARGET,
    behind_its_back,
    delete,
    intent_of,
    leaves_of,
    put,
    put_leaf,
    records_of,
    written,
)
from support.nobody import as_nobody

from retentiond.audit import DeletionLog, LogPlace, open_log, read_log, verify_log
from retentiond.audit.log import NEWEST
from retentiond.errors import AuditError, StateError
from retentiond.model.record import How, Outcome, OutcomeKind, RecordRef

CANARY = "käthe.canary@example.org"


def kinds(place: LogPlace) -> list[str]:
    with read_log(place) as log:
        return [entry.kind for entry in log.entries()]


def in_child_that_dies(act: Callable[[], None]) -> None:
    """Run `act` in a forked child that is killed at its end, or wherever it kills itself."""
    child = os.fork()
    if child == 0:
        try:
            act()
        finally:
            os.kill(os.getpid(), signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL


# --- the beginning


def test_a_new_log_begins_with_its_name_and_its_verifier_key(place: LogPlace) -> None:
    with open_log(place, NOW, "retentiond 0") as log:
        assert log.last_at() == NOW
    with read_log(place) as reader:
        first = reader.entry(0)
    vkey = (place.state / "log.vkey").read_text().strip()
    assert (first.kind, first.fields["origin"], first.fields["vkey"]) == ("log-start", ORIGIN, vkey)


def test_opening_again_writes_nothing(place: LogPlace) -> None:
    written(place)
    before = kinds(place)
    with open_log(place, NOW, "retentiond 0"):
        pass
    assert kinds(place) == before


def test_there_is_one_writer(sqlite_place: LogPlace) -> None:
    with (
        open_log(sqlite_place, NOW, "retentiond 0"),
        pytest.raises(StateError, match="held by process"),
        open_log(sqlite_place, NOW, "retentiond 0"),
    ):
        pass


def test_a_lost_database_beside_a_signed_checkpoint_is_no_new_beginning(sqlite_place: LogPlace) -> None:
    written(sqlite_place)
    for file in sqlite_place.state.glob("log.db*"):
        file.unlink()
    with pytest.raises(AuditError, match="last-signed"), open_log(sqlite_place, NOW, "retentiond 0"):
        pass


def test_a_log_under_another_key_or_name_is_not_opened(place: LogPlace) -> None:
    with open_log(place, NOW, "retentiond 0"):
        pass
    seed = place.state / "keys" / "signing-seed"
    seed.write_bytes(os.urandom(32))
    with pytest.raises(AuditError), open_log(place, NOW, "retentiond 0"):
        pass


@pytest.mark.parametrize("damage", [b"this is no database" * 500, b""])
def test_a_log_that_is_no_database_stops_everything(sqlite_place: LogPlace, damage: bytes) -> None:
    written(sqlite_place)
    for file in sqlite_place.state.glob("log.db-*"):
        file.unlink()
    (sqlite_place.state / "log.db").write_bytes(damage)
    with pytest.raises(AuditError), open_log(sqlite_place, NOW, "retentiond 0"):
        pass


# --- batches


def test_an_intent_is_durable_before_anything_is_done(place: LogPlace) -> None:
    def die_after_intent() -> None:
        with open_log(place, NOW, "retentiond 0") as log:
            log.intend(intent_of(), records_of("anna", "bert"), NOW)
            os.kill(os.getpid(), signal.SIGKILL)

    in_child_that_dies(die_after_intent)
    assert verify_log(place).open_batches == 1
    with open_log(place, NOW, "retentiond 0") as log:
        (batch,) = log.open_batches()
        assert [(ref.key, ref.identity, ref.fingerprint) for ref in batch.records] == [
            (("anna",), ("born anna",), "f" * 64),
            (("bert",), ("born bert",), "f" * 64),
        ]
        assert batch.intent == intent_of()
        log.conclude(batch, [Outcome(OutcomeKind.ALREADY_ABSENT, How.PROBE)] * 2, NOW, resolved=True)
        assert log.open_batches() == []
        log.checkpoint(NOW)
    found = verify_log(place)
    assert (found.problems, found.open_batches) == ((), 0)
    with read_log(place) as reader:
        assert [entry.fields["o"] for entry in reader.find(TARGET, ("anna",))] == ["already-absent"]


def test_a_note_is_durable_when_it_is_made_and_read_with_the_open_batch(place: LogPlace) -> None:
    def die_after_notes() -> None:
        with open_log(place, NOW, "retentiond 0") as log:
            batch = log.intend(intent_of(), records_of("anna", "bert"), NOW)
            log.note(batch, b"first")
            log.note(batch, b"\0second")
            os.kill(os.getpid(), signal.SIGKILL)

    in_child_that_dies(die_after_notes)
    with open_log(place, NOW, "retentiond 0") as log:
        (batch,) = log.open_batches()
        assert batch.notes == (b"first", b"\0second")
        assert [ref.key for ref in batch.records] == [("anna",), ("bert",)]
        with read_log(place) as reader:
            (entry,) = reader.entries(kind="intent")
        assert batch.items == entry.fields["items"]
        log.conclude(batch, [CONFIRMED] * 2, NOW, resolved=True)
        with pytest.raises(AuditError, match="not open"):
            log.note(batch, b"too late")
    assert verify_log(place).problems == ()


def test_a_conclusion_counts_its_outcomes(place: LogPlace) -> None:
    written(place)
    with read_log(place) as reader:
        last = list(reader.entries(kind="concluded"))[-1]
    assert last.fields["counts"] == {"confirmed": 1, "failed": 1}
    assert last.fields["count"] == 2


@pytest.mark.parametrize(
    "outcomes",
    [
        [CONFIRMED],
        [CONFIRMED] * 3,
        [CONFIRMED, Outcome(OutcomeKind.CONFIRMED, How.PROBE)],
        [CONFIRMED, Outcome(OutcomeKind.FAILED, code="anna is still there")],
        [CONFIRMED, Outcome(OutcomeKind.CONFIRMED, How.OPERATOR)],
    ],
)
def test_a_conclusion_that_claims_too_much_leaves_the_batch_open(place: LogPlace, outcomes: list[Outcome]) -> None:
    with open_log(place, NOW, "retentiond 0") as log:
        batch = log.intend(intent_of(), records_of("anna", "bert"), NOW)
        before = kinds(place)
        with pytest.raises(AuditError):
            log.conclude(batch, outcomes, NOW)
        assert kinds(place) == before
        assert [one.batch for one in log.open_batches()] == [batch.batch]


def test_a_batch_is_concluded_once(place: LogPlace) -> None:
    with open_log(place, NOW, "retentiond 0") as log:
        batch = log.intend(intent_of(), records_of("anna"), NOW)
        log.conclude(batch, [CONFIRMED], NOW)
        before = kinds(place)
        with pytest.raises(AuditError, match="not open"):
            log.conclude(batch, [CONFIRMED], NOW)
        assert kinds(place) == before


def test_a_batch_without_records_is_refused(place: LogPlace) -> None:
    with open_log(place, NOW, "retentiond 0") as log, pytest.raises(AuditError):
        log.intend(intent_of(), [], NOW)


def test_an_entry_may_be_earlier_than_the_one_before_it(place: LogPlace) -> None:
    with open_log(place, NOW, "retentiond 0") as log:
        log.event("run-end", NOW - timedelta(days=400), run=RUN, status="done", counts={})
        log.checkpoint(NOW)
    assert verify_log(place).problems == ()


def test_the_year_brings_a_new_key_and_old_records_are_still_found(place: LogPlace) -> None:
    written(place)
    later = NOW + timedelta(days=60)
    with open_log(place, later, "retentiond 0") as log:
        delete(log, "fritz")
        log.checkpoint(later)
    with read_log(place) as reader:
        kids = [entry.fields["kid"] for entry in reader.entries(kind="intent")]
        assert kids == ["2026-1", "2026-1", "2027-1"]
        assert [entry.fields["kid"] for entry in reader.entries(kind="key")][-1] == "2027-1"
        assert len(reader.find(TARGET, ("anna",))) == len(reader.find(TARGET, ("fritz",))) == 1
    assert verify_log(place).problems == ()


# --- checkpoints


def test_a_checkpoint_is_kept_inside_and_outside_the_database(place: LogPlace) -> None:
    with open_log(place, NOW, "retentiond 0") as log:
        delete(log, "anna")
        signed = log.checkpoint(NOW)
        assert log.checkpoint(NOW) == signed
    with behind_its_back(place) as connection:
        notes = connection.execute(sa.text("SELECT note FROM log_checkpoints ORDER BY size")).scalars().all()
    assert notes[-1] == (place.state / "last-signed").read_text()
    assert notes[-1].startswith(f"{ORIGIN}\n{signed.size}\n")


def test_a_flipped_bit_is_never_signed(place: LogPlace) -> None:
    with open_log(place, NOW, "retentiond 0") as log:
        delete(log, "anna", "bert")
        with behind_its_back(place) as connection:
            leaf = leaves_of(connection)[2]
            put_leaf(connection, 2, bytes([*leaf[:-10], leaf[-10] ^ 1, *leaf[-9:]]))
        before = (place.state / "last-signed").read_text() if (place.state / "last-signed").exists() else None
        with pytest.raises(AuditError):
            log.checkpoint(NOW)
        after = (place.state / "last-signed").read_text() if (place.state / "last-signed").exists() else None
        assert before == after


def test_an_entry_that_somebody_else_wrote_meanwhile_is_never_signed(sqlite_place: LogPlace) -> None:
    with open_log(sqlite_place, NOW, "retentiond 0") as log:
        delete(log, "anna")
        with behind_its_back(sqlite_place) as connection:
            connection.execute(sa.text("UPDATE log_head SET size = 1, tree = substr(tree, 1, 32)"))
        with pytest.raises(AuditError):
            log.event("run-end", NOW, run=RUN, status="done", counts={})


@pytest.mark.parametrize("missing", ["row", "file and row"])
def test_a_crash_while_signing_is_mended_at_the_next_start(place: LogPlace, missing: str) -> None:
    written(place)
    with behind_its_back(place) as connection:
        connection.execute(sa.text("DELETE FROM log_checkpoints WHERE size = (SELECT max(size) FROM log_checkpoints)"))
        if missing == "file and row":
            older = connection.execute(sa.text("SELECT note FROM log_checkpoints ORDER BY size DESC LIMIT 1")).scalar_one()
            (place.state / "last-signed").write_text(older)
    with open_log(place, NOW, "retentiond 0") as log:
        log.checkpoint(NOW)
    found = verify_log(place)
    assert (found.problems, found.unsigned_tail) == ((), 0)


def test_a_log_that_fell_behind_what_was_signed_is_not_opened(place: LogPlace) -> None:
    written(place)
    with behind_its_back(place) as connection:
        size = connection.execute(sa.text("SELECT size FROM log_checkpoints ORDER BY size LIMIT 1")).scalar_one()
        put(connection, leaves_of(connection)[:size], rehashed=True)
        connection.execute(sa.text("DELETE FROM log_batches WHERE idx >= :size"), {"size": size})
        connection.execute(sa.text("DELETE FROM log_checkpoints WHERE size > :size"), {"size": size})
    with pytest.raises(AuditError, match="rolled back"), open_log(place, NOW, "retentiond 0"):
        pass
    assert verify_log(place).problems


def test_a_missing_last_signed_file_stops_everything(place: LogPlace) -> None:
    written(place)
    (place.state / "last-signed").unlink()
    with pytest.raises(AuditError, match="last-signed"), open_log(place, NOW, "retentiond 0"):
        pass


# --- nothing personal


def test_no_key_stays_behind_once_a_run_is_over(place: LogPlace) -> None:
    hidden = [CANARY, "born in Musterstadt"]
    record = RecordRef((CANARY,), fingerprint="f" * 64, identity=("born in Musterstadt",))
    with open_log(place, NOW, "retentiond 0") as log:
        batch = log.intend(intent_of(), [record], NOW)
        assert not any(word in repr(batch) for word in hidden)
        log.conclude(batch, [CONFIRMED], NOW)
        log.checkpoint(NOW)
        held = [file.read_bytes() for file in place.state.rglob("*") if file.is_file()]
    held += [file.read_bytes() for file in place.state.rglob("*") if file.is_file()]
    for word in hidden:
        for form in (word.encode(), json.dumps(word)[1:-1].encode()):
            assert not any(form in content for content in held)
    assert not (place.state / "keys" / "work").exists()


def test_a_sealed_row_cannot_be_read_while_the_batch_is_open(place: LogPlace) -> None:
    with open_log(place, NOW, "retentiond 0") as log:
        log.intend(intent_of(), [RecordRef((CANARY,))], NOW)
        assert not any(CANARY.encode() in file.read_bytes() for file in place.state.rglob("*") if file.is_file())
        with behind_its_back(place) as connection:
            for table in sa.inspect(connection).get_table_names():
                rows = connection.execute(sa.text(f'SELECT * FROM "{table}"')).all()  # noqa: S608 - names of the schema
                assert "canary" not in repr([tuple(bytes(v) if isinstance(v, memoryview) else v for v in row) for row in rows])


def test_a_changed_work_row_is_told_and_not_acted_on(place: LogPlace) -> None:
    with open_log(place, NOW, "retentiond 0") as log:
        log.intend(intent_of(), records_of("anna"), NOW)
        with behind_its_back(place) as connection:
            body = bytes(connection.execute(sa.text("SELECT body FROM log_work")).scalar_one())
            connection.execute(sa.text("UPDATE log_work SET body = :body"), {"body": body[:-1] + bytes([body[-1] ^ 1])})
        with pytest.raises(AuditError):
            log.open_batches()


def test_an_open_batch_whose_run_key_is_gone_is_told(place: LogPlace) -> None:
    with open_log(place, NOW, "retentiond 0") as log:
        log.intend(intent_of(), records_of("anna"), NOW)
    (place.state / "keys" / "work").unlink()
    with open_log(place, NOW, "retentiond 0") as log, pytest.raises(AuditError):
        log.open_batches()
    assert not (place.state / "keys" / "work").exists(), "a key made afterwards opens nothing"


# --- trouble


def test_a_log_that_cannot_be_written_stops_everything_and_goes_on_afterwards(sqlite_place: LogPlace) -> None:
    with open_log(sqlite_place, NOW, "retentiond 0") as log:
        with sqlite3.connect(sqlite_place.state / "log.db", isolation_level=None) as blocker:
            blocker.execute("PRAGMA journal_mode")
        _fill(log)
        with pytest.raises(AuditError) as caught:
            _write_until_it_fails(log)
        assert CANARY not in str(caught.value)
        assert "canary" not in str(caught.value)
        assert "SQL:" not in str(caught.value)
        _empty(log)
    assert verify_log(sqlite_place).problems == ()
    with open_log(sqlite_place, NOW, "retentiond 0") as log:
        for batch in log.open_batches():
            log.conclude(batch, [Outcome(OutcomeKind.ALREADY_ABSENT, How.PROBE)] * len(batch.records), NOW, resolved=True)
        log.checkpoint(NOW)
    assert verify_log(sqlite_place).problems == ()


def _write_until_it_fails(log: DeletionLog) -> None:
    for number in range(2000):
        delete(log, *(f"{CANARY} {number} {n}" for n in range(50)))


def _fill(log: DeletionLog) -> None:
    """Let the database grow no more: SQLite answers as it does on a full disk."""
    with log._engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages + 20}")


def _empty(log: DeletionLog) -> None:
    with log._engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count=1000000")


def test_a_directory_that_cannot_be_written_is_told(sqlite_place: LogPlace) -> None:
    def ask() -> bool:
        with pytest.raises(StateError) as caught, open_log(sqlite_place, NOW, "retentiond 0"):
            pass
        return str(sqlite_place.state) in str(caught.value)

    sqlite_place.state.chmod(0o555)
    assert as_nobody(sqlite_place.state, ask)


def test_a_missing_state_directory_is_made_or_told(sqlite_place: LogPlace) -> None:
    sqlite_place.state.rmdir()
    with open_log(sqlite_place, NOW, "retentiond 0"):
        pass
    assert sqlite_place.state.stat().st_mode & 0o777 == 0o700


def test_postgresql_without_fsync_is_refused(state: Path, postgresql: sa.URL, monkeypatch: pytest.MonkeyPatch) -> None:
    # fsync cannot be switched off for one session; a setting that is off is asked for instead.
    monkeypatch.setattr("retentiond.database.FSYNC", "transaction_read_only")
    with (
        pytest.raises((StateError, AuditError), match="fsync"),
        open_log(LogPlace(state, postgresql, ORIGIN), NOW, "retentiond 0"),
    ):
        pass


def test_what_is_written_at_every_moment_of_dying_is_whole(place: LogPlace) -> None:
    def step(number: int) -> Callable[[], None]:
        def act() -> None:
            with open_log(place, NOW, "retentiond 0") as log:
                for batch in log.open_batches():
                    log.conclude(batch, [Outcome(OutcomeKind.ALREADY_ABSENT, How.PROBE)] * len(batch.records), NOW, resolved=True)
                run = intent_of()
                acts: list[Callable[[], object]] = [
                    lambda: log.event("run-end", NOW, run=RUN, status="done", counts={}),
                    lambda: log.intend(run, records_of("anna"), NOW),
                    lambda: delete(log, "bert"),
                    lambda: log.checkpoint(NOW),
                ]
                for each in acts[: number % 5]:
                    each()
                os.kill(os.getpid(), signal.SIGKILL)

        return act

    for number in range(10):
        in_child_that_dies(step(number))
        assert verify_log(place).problems == ()


def test_two_writers_on_postgresql_make_one_sequence(tmp_path: Path, state: Path, postgresql: sa.URL) -> None:
    first = LogPlace(state, postgresql, ORIGIN)
    written(first)
    other = tmp_path / "other"
    _copied(state, other)
    second = replace(first, state=other)
    with open_log(first, NOW, "retentiond 0") as one, open_log(second, NOW, "retentiond 0") as two:
        for number in range(5):
            one.event("approval", NOW, subject="clock", digest="", decision="approved", by=f"one{number}")
            two.event("approval", NOW, subject="clock", digest="", decision="approved", by=f"two{number}")
        one.checkpoint(NOW)
    found = verify_log(first)
    assert (found.problems, found.unsigned_tail) == ((), 0)
    with read_log(first) as reader:
        assert len(list(reader.entries(kind="approval"))) == 10


def _copied(source: Path, target: Path) -> None:
    import shutil  # noqa: PLC0415 - used here only

    shutil.copytree(source, target)


def test_handles_for_plans_are_those_of_the_entries(place: LogPlace) -> None:
    with open_log(place, NOW, "retentiond 0") as log:
        delete(log, "anna")
        ref = log.handle(TARGET, ("anna",))
        assert len(ref) == len(log.fingerprint(TARGET, records_of("anna")[0])) == 32
    with behind_its_back(place) as connection:
        assert [bytes(one) for one in connection.execute(sa.text("SELECT refs FROM log_batches")).scalars()] == [ref]


def test_the_digest_of_an_intent_binds_its_records(place: LogPlace) -> None:
    written(place)
    with read_log(place) as reader:
        intents = list(reader.entries(kind="intent"))
    assert len({entry.fields["items"] for entry in intents}) == 2
    assert {entry.fields["rule_digest"] for entry in intents} == {DIGEST}


def test_the_newest_version_is_that_of_the_newest_migration(tmp_path: Path) -> None:
    place = LogPlace(tmp_path, None, ORIGIN)
    with open_log(place, NOW, "retentiond 0"):
        pass
    with sqlite3.connect(tmp_path / "log.db") as connection:
        assert connection.execute("SELECT version_num FROM audit_version").fetchall() == [(NEWEST,)]
    connection.close()
