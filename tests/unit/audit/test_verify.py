"""Whatever is done to a log behind its back is told, with the entry it is about."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from support.deletion_log import (
    CONFIRMED,
    NOW,
    ORIGIN,
    RUN,
    behind_its_back,
    delete,
    intent_of,
    leaves_of,
    put,
    put_leaf,
    records_of,
    written,
)

from retentiond.audit import LogPlace, open_log, verify_log
from retentiond.audit.leaf import read_leaf
from retentiond.audit.note import Checkpoint, Signer
from retentiond.audit.tree import Range
from retentiond.errors import AuditError, ConfigurationError, StateError

Tampering = Callable[[sa.Connection], None]


def _do(*statements: str) -> Tampering:
    def act(connection: sa.Connection) -> None:
        for statement in statements:
            assert connection.execute(sa.text(statement)).rowcount != 0, statement

    return act


def _swap(connection: sa.Connection) -> None:
    leaves = leaves_of(connection)
    leaves[3], leaves[4] = leaves[4], leaves[3]
    put(connection, leaves)


def _without(index: int) -> Tampering:
    def act(connection: sa.Connection) -> None:
        leaves = leaves_of(connection)
        del leaves[index]
        put(connection, leaves)

    return act


def _insert(connection: sa.Connection) -> None:
    leaves = leaves_of(connection)
    put(connection, [*leaves[:5], leaves[4], *leaves[5:]])


def _forged(connection: sa.Connection) -> None:
    leaves = leaves_of(connection)
    place = next(idx for idx, leaf in enumerate(leaves) if b'"o":"failed"' in leaf)
    leaves[place] = leaves[place].replace(b"failed", b"held").replace(b'"code":"referenced",', b"")
    put(connection, leaves, rehashed=True)


def _insert_and_rehash(connection: sa.Connection) -> None:
    leaves = leaves_of(connection)
    put(connection, [*leaves[:5], leaves[4], *leaves[5:]], rehashed=True)


def _append(connection: sa.Connection) -> None:
    put(connection, [*leaves_of(connection), b"{}"])


TAMPERINGS: dict[str, Tampering] = {
    "the last entry is gone": _without(-1),
    "an entry in the middle is gone": _without(4),
    "the first entry is gone": _without(0),
    "all entries are gone": _do("DELETE FROM log_bundles"),
    "two entries are swapped": _swap,
    "an entry is put in": _insert,
    "an entry is put in and all is hashed anew": _insert_and_rehash,
    "an outcome is forged and all is hashed anew": _forged,
    "an entry is added behind the end": _append,
    "the head tells of fewer": _do("UPDATE log_head SET size = size - 1"),
    "the head has another tree": _do("UPDATE log_head SET tree = (SELECT hashes FROM log_tiles LIMIT 1)"),
    "the head tells another last moment": _do("UPDATE log_head SET last_at = '2020-01-01T00:00:00Z'"),
    "the head is gone": _do("DELETE FROM log_head"),
    "a checkpoint's text is changed": _do("UPDATE log_checkpoints SET note = replace(note, 'test', 'tost')"),
    "a checkpoint has another size": _do(
        "UPDATE log_checkpoints SET size = size + 1 WHERE size = (SELECT min(size) FROM log_checkpoints)"
    ),
    "a tile is gone": _do("DELETE FROM log_tiles"),
    "a tile is cut": _do("UPDATE log_tiles SET hashes = substr(hashes, 1, 32)"),
    "a tile is longer": _do("UPDATE log_tiles SET hashes = CAST(hashes || substr(hashes, 1, 32) AS BLOB)"),
    "a checkpoint is gone": _do("DELETE FROM log_checkpoints WHERE size = (SELECT min(size) FROM log_checkpoints)"),
    "all checkpoints but the newest are gone": _do("DELETE FROM log_checkpoints"),
    "a leaf is kept apart": _do("INSERT INTO log_kept (idx, leaf) VALUES (0, '{}')"),
    "a bundle stands behind the end": _do("INSERT INTO log_bundles (n, entries) VALUES (7, '')"),
    "a work row lies about": _do("INSERT INTO log_work (idx, body) SELECT 2, tree FROM log_head"),
}


BESIDE: dict[str, Tampering] = {
    "a batch's handles are gone": _do("UPDATE log_batches SET refs = NULL WHERE idx = (SELECT min(idx) FROM log_batches)"),
    "a batch's handles are exchanged": _do("UPDATE log_batches SET refs = identities"),
    "a batch's identities are exchanged": _do("UPDATE log_batches SET identities = refs"),
    "a batch points elsewhere": _do("UPDATE log_batches SET first = 99"),
    "a batch belongs elsewhere": _do("UPDATE log_batches SET place = 'crm/lead'"),
    "a batch has another epoch": _do("UPDATE log_batches SET kid = '2027-1'"),
    "a salt is another": _do("UPDATE log_batches SET salt = substr(refs, 1, 32)"),
    "what opens a batch is gone": _do("DELETE FROM log_batches WHERE idx = (SELECT min(idx) FROM log_batches)"),
    "all that opens batches is gone": _do("DELETE FROM log_batches"),
    "what opens a batch belongs to none": _do(
        "INSERT INTO log_batches SELECT 99, place, kid, salt, first, refs, identities FROM log_batches LIMIT 1"
    ),
}
"""What only a full verification looks at: the entries prove what they prove without it."""


@pytest.mark.parametrize("tampering", sorted(BESIDE))
def test_tampering_beside_the_entries_is_told_by_a_full_verification(sqlite_place: LogPlace, tampering: str) -> None:
    written(sqlite_place)
    with behind_its_back(sqlite_place) as connection:
        BESIDE[tampering](connection)
    assert verify_log(sqlite_place).problems == ()
    assert verify_log(sqlite_place, full=True).problems


def test_a_log_that_nobody_touched_is_in_order(place: LogPlace) -> None:
    written(place)
    found = verify_log(place, full=True)
    assert found.problems == ()
    assert (found.size, found.signed_size, found.unsigned_tail, found.open_batches) == (found.signed_size, found.size, 0, 0)
    with open_log(place, NOW, "retentiond 0") as log:
        assert log.verify() == found


def test_who_gave_which_word_about_a_rule_is_told_in_order(sqlite_place: LogPlace) -> None:
    words = [("rule letter", "staff-1"), ("rule letter", "staff-2"), ("removal letter", "staff-1")]
    with open_log(sqlite_place, NOW, "test") as log:
        for subject, by in [*words, ("plan letter delete", "staff-1"), ("clock", "staff-1")]:
            log.event("approval", NOW, subject=subject, digest="ab", decision="approved", by=by)
        log.checkpoint(NOW)
        told = log.verify().words
    assert [(word.subject, word.by) for word in told] == words
    assert {(word.digest, word.at) for word in told} == {("ab", NOW.replace(microsecond=0))}


@pytest.mark.parametrize("tampering", sorted(TAMPERINGS))
def test_tampering_is_told(sqlite_place: LogPlace, tampering: str) -> None:
    _tampering_is_told(sqlite_place, tampering)


@pytest.mark.parametrize("tampering", ["an outcome is forged and all is hashed anew", "a tile is gone", "a checkpoint is gone"])
def test_tampering_is_told_on_postgresql(state: Path, postgresql: sa.URL, tampering: str) -> None:
    _tampering_is_told(LogPlace(state, postgresql, ORIGIN), tampering)


def _tampering_is_told(place: LogPlace, tampering: str) -> None:
    written(place)
    with behind_its_back(place) as connection:
        TAMPERINGS[tampering](connection)
    problems = verify_log(place).problems
    assert problems
    assert all((problem.endswith(".") and problem[0].isupper()) or problem.startswith(str(place.state)) for problem in problems)


def test_a_changed_bit_in_any_entry_is_told(place: LogPlace) -> None:
    written(place)
    with behind_its_back(place) as connection:
        leaves = leaves_of(connection)
    for idx, leaf in enumerate(leaves):
        for at in (0, len(leaf) // 2, len(leaf) - 3):
            with behind_its_back(place) as connection:
                put_leaf(connection, idx, leaf[:at] + bytes([leaf[at] ^ 1]) + leaf[at + 1 :])
            assert verify_log(place).problems, (idx, at)
        with behind_its_back(place) as connection:
            put_leaf(connection, idx, leaf)
    assert verify_log(place).problems == ()


def test_a_changed_bit_in_any_column_is_told(sqlite_place: LogPlace) -> None:
    written(sqlite_place)
    with behind_its_back(sqlite_place) as connection:
        columns = [
            (table, column["name"])
            for table in sa.inspect(connection).get_table_names()
            if table.startswith("log_")
            for column in sa.inspect(connection).get_columns(table)
        ]
    for table, column in columns:
        if (table, column) == ("log_head", "id"):
            continue
        with behind_its_back(sqlite_place) as connection:
            before = connection.execute(sa.text(f"SELECT {column} FROM {table} LIMIT 1")).scalar()  # noqa: S608 - names of the schema
        if before is None:
            continue
        after = (
            before + 1000
            if isinstance(before, int)
            else bytes([before[0] ^ 1]) + before[1:]
            if isinstance(before, bytes)
            else "x" + before[1:]
        )
        change = sa.text(f"UPDATE {table} SET {column} = :new WHERE {column} = :old")  # noqa: S608 - names of the schema
        with behind_its_back(sqlite_place) as connection:
            connection.execute(change, {"new": after, "old": before})
        assert verify_log(sqlite_place, full=True).problems, (table, column)
        with behind_its_back(sqlite_place) as connection:
            connection.execute(change, {"new": before, "old": after})
    assert verify_log(sqlite_place).problems == ()


FOREIGN = ("NULL", "'text'", "x'00'", "x''", "x'ff'", "-1", "2.5")


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("log_head", "size"),
        ("log_head", "tree"),
        ("log_head", "last_at"),
        ("log_bundles", "entries"),
        ("log_tiles", "hashes"),
        ("log_batches", "place"),
        ("log_batches", "salt"),
        ("log_batches", "first"),
        ("log_batches", "refs"),
        ("log_batches", "identities"),
        ("log_checkpoints", "size"),
        ("log_checkpoints", "note"),
    ],
)
def test_a_value_of_a_foreign_kind_is_told_and_is_no_bug_of_ours(sqlite_place: LogPlace, table: str, column: str) -> None:
    """SQLite keeps anything anywhere. A log that was changed like that is refused like any other, and by whoever opens it."""
    written(sqlite_place)
    whole = (sqlite_place.state / "log.db").read_bytes()
    for value in FOREIGN:
        with behind_its_back(sqlite_place) as connection:
            change = f"UPDATE {table} SET {column} = {value} WHERE rowid = (SELECT max(rowid) FROM {table})"  # noqa: S608 - words of this test
            try:
                connection.execute(sa.text(change))
            except sa.exc.IntegrityError:
                continue  # the schema itself refuses it
        assert _refused(sqlite_place), value
        for leftover in sqlite_place.state.glob("log.db-*"):
            leftover.unlink()
        (sqlite_place.state / "log.db").write_bytes(whole)
    assert verify_log(sqlite_place).problems == ()


def _refused(place: LogPlace) -> bool:
    told = verify_log(place, full=True).problems
    try:
        with open_log(place, NOW, "retentiond 0") as log:
            return bool(told) and log.verify(full=True).problems != ()
    except AuditError:
        return bool(told)


# --- who signed it


def test_another_key_refuses_the_log(place: LogPlace) -> None:
    written(place)
    stranger = Signer(ORIGIN, Ed25519PrivateKey.generate())
    assert verify_log(place, vkey=str(stranger.verifier)).problems
    (place.state / "log.vkey").write_text(f"{stranger.verifier}\n")
    assert verify_log(place).problems


def test_a_whole_history_rewritten_under_another_key_is_told_to_who_has_the_right_one(place: LogPlace, tmp_path: Path) -> None:
    written(place)
    right = (place.state / "log.vkey").read_text()
    forged = LogPlace(tmp_path / "forged", None, ORIGIN)
    forged.state.mkdir(mode=0o700)
    written(forged)
    assert verify_log(forged).problems == ()
    assert verify_log(forged, vkey=right).problems


def test_a_key_that_is_none_is_refused(place: LogPlace) -> None:
    written(place)
    with pytest.raises(ConfigurationError, match="verifier key"):
        verify_log(place, vkey="nonsense")
    (place.state / "log.vkey").write_text("nonsense")
    with pytest.raises(AuditError, match="verifier key"):
        verify_log(place)


def test_a_history_rewritten_with_the_right_key_is_told_to_who_kept_a_checkpoint(place: LogPlace) -> None:
    written(place)
    kept = place.state.parent / "kept"
    shutil.copy(place.state / "last-signed", kept)
    signer = Signer(ORIGIN, Ed25519PrivateKey.from_private_bytes((place.state / "keys" / "signing-seed").read_bytes()))
    with behind_its_back(place) as connection:
        _forged(connection)
        leaves = leaves_of(connection)
        for size in connection.execute(sa.text("SELECT size FROM log_checkpoints")).scalars().all():
            note = signer.sign(Checkpoint(ORIGIN, size, Range().grown(leaves[:size]).root()).text())
            connection.execute(
                sa.text("UPDATE log_checkpoints SET note = :note WHERE size = :size"), {"note": note, "size": size}
            )
    (place.state / "last-signed").write_text(note)
    assert verify_log(place, elsewhere=[kept]).problems


def test_the_checkpoint_outside_is_compared(place: LogPlace, tmp_path: Path) -> None:
    written(place)
    signed = place.state / "last-signed"
    good = signed.read_text()
    for text in (good.replace("\n", "\r\n"), "", good[: len(good) // 2], good.replace(ORIGIN, "x")):
        signed.write_text(text)
        assert verify_log(place).problems, text
    signed.write_text(good)
    other = LogPlace(tmp_path / "other", None, ORIGIN)
    other.state.mkdir(mode=0o700)
    written(other)
    shutil.copy(other.state / "last-signed", signed)
    assert verify_log(place).problems
    signed.unlink()
    assert verify_log(place).problems


# --- rolled back, cut, broken


def test_a_history_rewritten_after_all_signatures_were_taken_away_is_told(place: LogPlace) -> None:
    written(place)
    with behind_its_back(place) as connection:
        connection.execute(sa.text("DELETE FROM log_checkpoints"))
        _forged(connection)
    place.last_signed.unlink()
    assert "begins a run, but the signature of what stands before it is gone" in verify_log(place).problems[0]


def test_an_older_copy_of_the_database_is_told(sqlite_place: LogPlace) -> None:
    written(sqlite_place)
    copy = sqlite_place.state.parent / "copy.db"
    shutil.copy(sqlite_place.state / "log.db", copy)
    with open_log(sqlite_place, NOW, "retentiond 0") as log:
        delete(log, "gerd")
        log.checkpoint(NOW)
    for file in sqlite_place.state.glob("log.db-*"):
        file.unlink()
    shutil.copy(copy, sqlite_place.state / "log.db")
    assert any("rolled back" in problem for problem in verify_log(sqlite_place).problems)
    with pytest.raises(AuditError, match="rolled back"), open_log(sqlite_place, NOW, "retentiond 0"):
        pass


@pytest.mark.parametrize("length", [0, 50, 4096, 20_000])
def test_a_cut_database_is_told_without_a_drivers_words(sqlite_place: LogPlace, length: int) -> None:
    written(sqlite_place)
    for file in sqlite_place.state.glob("log.db-*"):
        file.unlink()
    whole = (sqlite_place.state / "log.db").read_bytes()
    (sqlite_place.state / "log.db").write_bytes(whole[:length])
    found = verify_log(sqlite_place)
    assert found.problems
    assert "sqlite3" not in "".join(found.problems)


def test_a_lost_database_is_told_where_one_was_signed(sqlite_place: LogPlace) -> None:
    written(sqlite_place)
    for file in sqlite_place.state.glob("log.db*"):
        file.unlink()
    assert any("log.db" in problem or "gone" in problem for problem in verify_log(sqlite_place).problems)


def test_where_there_never_was_a_log_that_is_said(place: LogPlace) -> None:
    with pytest.raises(StateError, match="no deletion log"):
        verify_log(place)


# --- what is open, what is not signed


def test_an_unsigned_tail_and_an_open_batch_are_told_and_are_no_problem(place: LogPlace) -> None:
    written(place)
    before = verify_log(place).size
    with open_log(place, NOW, "retentiond 0") as log:
        log.intend(intent_of("0e9d2c1a-0b3e-4c5d-8e7f-a1b2c3d4e5f6"), records_of("gerd"), NOW)
    found = verify_log(place)
    assert (found.problems, found.unsigned_tail, found.open_batches, found.signed_size) == ((), 1, 1, before)


def test_an_open_batch_without_its_work_row_is_told(place: LogPlace) -> None:
    with open_log(place, NOW, "retentiond 0") as log:
        batch = log.intend(intent_of(), records_of("gerd"), NOW)
    with behind_its_back(place) as connection:
        connection.execute(sa.text("DELETE FROM log_work"))
    assert any(str(batch.index) in problem for problem in verify_log(place).problems)


def test_outcomes_without_a_conclusion_are_told(place: LogPlace) -> None:
    """Such a log cannot come about by a crash: outcomes and conclusion are one transaction."""
    with open_log(place, NOW, "retentiond 0") as log:
        batch = log.intend(intent_of(), records_of("gerd"), NOW)
        log.conclude(batch, [CONFIRMED], NOW)
    with behind_its_back(place) as connection:
        connection.execute(sa.text("INSERT INTO log_work (idx, body) VALUES (:idx, :body)"), {"idx": batch.index, "body": b"x"})
        put(connection, leaves_of(connection)[:-1], rehashed=True)
    assert any(str(batch.index) in problem for problem in verify_log(place).problems)


def _concluded_wrongly(connection: sa.Connection, change: Callable[[bytes], bytes]) -> None:
    leaves = leaves_of(connection)
    place = next(idx for idx, leaf in enumerate(leaves) if read_leaf(leaf).get("kind") == "concluded")
    leaves[place] = change(leaves[place])
    put(connection, leaves, rehashed=True)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda leaf: leaf.replace(b'"count":1', b'"count":2'), id="count"),
        pytest.param(lambda leaf: leaf.replace(b'"confirmed":1', b'"confirmed":2'), id="counts"),
        pytest.param(lambda leaf: leaf.replace(b"confirmed", b"changed"), id="kinds"),
        pytest.param(lambda leaf: leaf.replace(RUN.encode(), RUN[::-1].encode()), id="batch"),
    ],
)
def test_arithmetic_that_does_not_add_up_is_told_even_where_nothing_is_signed_yet(
    place: LogPlace, change: Callable[[bytes], bytes]
) -> None:
    with open_log(place, NOW, "retentiond 0") as log:
        delete(log, "gerd")
    with behind_its_back(place) as connection:
        _concluded_wrongly(connection, change)
    assert verify_log(place).problems


def test_a_second_outcome_of_one_record_is_told(place: LogPlace) -> None:
    with open_log(place, NOW, "retentiond 0") as log:
        delete(log, "gerd")
    with behind_its_back(place) as connection:
        leaves = leaves_of(connection)
        place_of = next(idx for idx, leaf in enumerate(leaves) if "rc" in read_leaf(leaf))
        put(connection, [*leaves, leaves[place_of]], rehashed=True)
    assert verify_log(place).problems


def test_a_log_of_another_name_is_told(place: LogPlace) -> None:
    written(place)
    assert verify_log(replace(place, origin="log.example.org/retentiond/other")).problems


def test_every_root_that_was_signed_is_recomputed(place: LogPlace) -> None:
    written(place)
    with behind_its_back(place) as connection:
        text = connection.execute(sa.text("SELECT note FROM log_checkpoints ORDER BY size LIMIT 1")).scalar_one()
    root = base64.b64decode(text.split("\n")[2])
    size = int(text.split("\n")[1])
    with behind_its_back(place) as connection:
        assert Range().grown(leaves_of(connection)[:size]).root() == root
