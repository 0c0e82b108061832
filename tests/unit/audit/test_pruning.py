"""After pruning, whatever is still there can be proven; after shredding, nothing tells which record it was."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from support.deletion_log import (
    CONFIRMED,
    DIGEST,
    NOW,
    TARGET,
    behind_its_back,
    delete,
    intent_of,
    leaves_of,
    records_of,
    written,
)

from retentiond import failpoint
from retentiond.audit import LogPlace, Prunable, open_log, read_log, verify_log
from retentiond.audit.leaf import raw, read_leaf
from retentiond.audit.note import Checkpoint, VerifierKey, open_note
from retentiond.audit.proof import check_consistency, check_proof
from retentiond.audit.proving import opened
from retentiond.errors import ConfigurationError, StateError

LATER = NOW + timedelta(days=1500)
RULE = "self.deletion-log@" + "cd" * 8
BATCH = 150
"""Records of a batch: so that bundles end in the midst of batches."""


def keys_of(number: int) -> list[str]:
    return [f"key {number} {n}" for n in range(BATCH)]


def long(place: LogPlace) -> None:
    """An old log of ten batches, an approval and two holds, and a young batch at its end."""
    with open_log(place, NOW, "retentiond 0") as log:
        log.event("approval", NOW, subject="rule crm.customer", digest=DIGEST, decision="approved", by="s1")
        log.event("approval", NOW, subject="plan crm.customer delete", digest=DIGEST, decision="approved", by="s1")
        log.event("hold", NOW, hold="H1", type="legal-claim", op="placed", scope_digest=DIGEST, by="s1")
        log.event("hold", NOW, hold="H2", type="legal-claim", op="placed", scope_digest=DIGEST, by="s1")
        log.event("policy", NOW, policy="p", rule="crm.customer@1", digest=DIGEST, file_digest=DIGEST, mode="enforce")
        for number in range(10):
            delete(log, *keys_of(number))
            log.checkpoint(NOW)
        log.event("hold", NOW, hold="H2", type="legal-claim", op="lifted", scope_digest=DIGEST, by="s1")
    with open_log(place, LATER, "retentiond 0") as log:
        batch = log.intend(intent_of("young"), records_of(*keys_of(99)), LATER)
        log.conclude(batch, [CONFIRMED] * BATCH, LATER)
        log.checkpoint(LATER)


def old(moment: datetime) -> bool:
    return moment < LATER - timedelta(days=100)


def of_rules(fields: Mapping[str, Any]) -> bool:
    return (fields["kind"] == "approval" and fields["subject"].startswith("rule ")) or fields.get("hold") == "H1"


def pruned(place: LogPlace) -> Prunable:
    with open_log(place, LATER, "retentiond 0") as log:
        return log.prune(RULE, old, of_rules, LATER)


def key_of(place: LogPlace) -> VerifierKey:
    return VerifierKey.parse(place.public_key.read_text())


def proofs(place: LogPlace) -> dict[int, str]:
    with read_log(place) as log:
        return {index: log.proof(index) for index in range(log.first, log.size)}


def test_what_is_old_goes_and_the_log_still_verifies(place: LogPlace) -> None:
    long(place)
    before = verify_log(place, full=True)
    found = pruned(place)
    assert found.entries > 1000
    assert found.entries % 256 == 0
    assert found.batches == 10
    after = verify_log(place, full=True)
    assert after.problems == ()
    assert after.pruned == found.entries
    assert (after.words, after.policies, dict(after.holds)) == (before.words, before.policies, {"H1": "legal-claim"})
    with read_log(place) as log:
        assert log.find(TARGET, ("key 3 3",)) == []
        assert len(log.find(TARGET, ("key 99 3",))) == 1
        assert [entry.fields["level"] for entry in log.entries(kind="prune")] == [1, 2]
        assert log.bundle(0) is None
        assert next(log.entries()).kind == "log-start"


def test_a_second_pruning_finds_nothing(place: LogPlace) -> None:
    long(place)
    pruned(place)
    assert pruned(place).nothing
    with read_log(place) as log:
        assert len(list(log.entries(kind="prune"))) == 2


def test_proofs_handed_out_before_stay_good_and_new_ones_are_consistent_with_them(sqlite_place: LogPlace) -> None:
    long(sqlite_place)
    key = key_of(sqlite_place)
    handed_out = proofs(sqlite_place)
    older = sqlite_place.last_signed.read_text()
    held = Checkpoint.parse(open_note(older, key))
    pruned(sqlite_place)
    with read_log(sqlite_place) as log:
        consistency = log.consistency_file(held.size)
    newer = check_consistency(consistency, key, held)
    assert newer.size > held.size
    for text in handed_out.values():
        check_proof(text, key, newer, consistency)
    remaining = proofs_up_to(sqlite_place, newer.size)
    assert remaining
    for index, text in remaining.items():
        leaf, found, checkpoint = check_proof(text, key, held, consistency)
        assert (found, checkpoint) == (index, newer)
        assert read_leaf(leaf)
    assert verify_log(sqlite_place, elsewhere=[saved(sqlite_place, older)]).problems == ()


def proofs_up_to(place: LogPlace, size: int) -> dict[int, str]:
    with read_log(place) as log:
        return {index: log.proof(index) for index in range(log.first, size)}


def saved(place: LogPlace, note: str) -> Any:
    file = place.state.parent / "older"
    file.write_text(note)
    return file


def test_a_pruned_entry_is_refused_honestly(sqlite_place: LogPlace) -> None:
    long(sqlite_place)
    pruned(sqlite_place)
    with read_log(sqlite_place) as log:
        with pytest.raises(StateError, match="pruned"):
            log.proof(20)
        log.proof(0)  # kept, because the log begins with it
        with pytest.raises(ConfigurationError, match="no older state"):
            log.consistency_file(10**6)


def test_a_batch_that_is_open_or_young_keeps_everything_behind_it(place: LogPlace) -> None:
    with open_log(place, NOW, "retentiond 0") as log:
        log.intend(intent_of(), records_of("open"), NOW)
        for number in range(4):
            delete(log, *keys_of(number))
        log.checkpoint(NOW)
        found = log.prune(RULE, lambda _at: True, of_rules, LATER)
        assert found.nothing
        assert len(log.open_batches()) == 1
    assert verify_log(place, full=True).problems == ()


@pytest.mark.parametrize("name", ["prune-signed"])
def test_a_crash_while_pruning_is_made_good_by_pruning_again(
    sqlite_place: LogPlace, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    long(sqlite_place)

    class Crash(BaseException):
        pass

    def crash(passed: str) -> None:
        if passed == name:
            raise Crash

    monkeypatch.setattr(failpoint, "hook", crash)
    with pytest.raises(Crash):
        pruned(sqlite_place)
    monkeypatch.undo()
    assert verify_log(sqlite_place, full=True).problems == ()
    assert pruned(sqlite_place).entries > 1000
    assert verify_log(sqlite_place, full=True).problems == ()
    with read_log(sqlite_place) as log:
        assert log.first > 1000


TAMPERINGS: dict[str, Callable[[sa.Connection], object]] = {
    "more entries are gone than the log tells": lambda connection: connection.execute(
        sa.text("DELETE FROM log_bundles WHERE n = (SELECT min(n) FROM log_bundles)")
    ),
    "a kept entry is another": lambda connection: connection.execute(
        sa.text("UPDATE log_kept SET leaf = (SELECT leaf FROM log_kept WHERE idx = 0) WHERE idx = 1")
    ),
    "a kept entry is gone": lambda connection: connection.execute(sa.text("DELETE FROM log_kept WHERE idx = 0")),
    "a pruned tile is gone": lambda connection: connection.execute(sa.text("DELETE FROM log_tiles WHERE level = 0 AND n = 1")),
    "a pruned tile is another": lambda connection: connection.execute(
        sa.text("UPDATE log_tiles SET hashes = (SELECT hashes FROM log_tiles WHERE n = 0 AND level = 0) WHERE n = 1")
    ),
}


def put_last(connection: sa.Connection) -> None:
    row = connection.execute(sa.text("SELECT n, entries FROM log_bundles ORDER BY n DESC LIMIT 1")).one()
    forged = bytes(row.entries).replace(b"confirmed", b"unverified", 1)
    connection.execute(sa.text("UPDATE log_bundles SET entries = :e WHERE n = :n"), {"e": forged, "n": row.n})


TAMPERINGS["a remaining entry is another"] = put_last


@pytest.mark.parametrize("tampering", sorted(TAMPERINGS))
def test_tampering_with_a_pruned_log_is_told(sqlite_place: LogPlace, tampering: str) -> None:
    long(sqlite_place)
    pruned(sqlite_place)
    with behind_its_back(sqlite_place) as connection:
        TAMPERINGS[tampering](connection)
    assert verify_log(sqlite_place).problems


def test_entries_that_went_without_the_log_telling_of_it_are_missed(sqlite_place: LogPlace) -> None:
    long(sqlite_place)
    with behind_its_back(sqlite_place) as connection:
        connection.execute(sa.text("DELETE FROM log_bundles WHERE n < 3"))
    assert any("no pruning" in problem for problem in verify_log(sqlite_place).problems)


def test_pruned_entries_leave_nothing_behind_in_the_files(sqlite_place: LogPlace) -> None:
    long(sqlite_place)
    with behind_its_back(sqlite_place) as connection:
        leaf = leaves_of(connection)[20]
    assert any(leaf in file.read_bytes() for file in sqlite_place.state.glob("log.db*"))
    pruned(sqlite_place)
    assert not any(leaf in file.read_bytes() for file in sqlite_place.state.rglob("*") if file.is_file())


# --- epochs


def test_after_shredding_nothing_can_be_linked_to_a_record_and_everything_is_proven_still(place: LogPlace) -> None:
    written(place)
    with read_log(place) as log:
        (entry,) = log.find(TARGET, ("anna",))
        assert log.find_openings(TARGET, ("anna",), [entry])
        proof = log.proof(entry.index)
    with open_log(place, NOW, "retentiond 0") as log:
        assert log.rotate(NOW) == "2026-2"
        delete(log, "gerd")
        log.shred("2026-1", NOW)
        assert log.epochs == ("2026-2",)
        delete(log, "hans")
        log.checkpoint(NOW)
    assert verify_log(place, full=True).problems == ()
    check_proof(proof, key_of(place))
    with read_log(place) as log:
        assert log.find(TARGET, ("anna",)) == []
        assert len(log.find(TARGET, ("gerd",))) == len(log.find(TARGET, ("hans",))) == 1
        check_proof(log.proof(entry.index), key_of(place))
        assert [(one.fields["op"], one.fields["kid"]) for one in log.entries(kind="key")] == [
            ("created", "2026-2"),
            ("shredding", "2026-1"),
            ("shredded", "2026-1"),
        ]


def test_with_every_key_and_every_copy_a_shredded_epoch_stays_closed(sqlite_place: LogPlace) -> None:
    """Whoever kept a copy of the wrapped key before, and has all keys of today, cannot unwrap it."""
    written(sqlite_place)
    copy = (sqlite_place.state / "keys" / "epoch-2026-1").read_bytes()
    with open_log(sqlite_place, NOW, "retentiond 0") as log:
        log.rotate(NOW)
        log.shred("2026-1", NOW)
    keys = sqlite_place.state / "keys"
    (keys / "epoch-2026-1").write_bytes(copy)
    (keys / "epoch-2026-1").chmod(0o600)
    with pytest.raises(Exception, match="cannot be unwrapped"), open_log(sqlite_place, NOW, "retentiond 0"):
        pass


@pytest.mark.parametrize("name", ["shredding-signed", "handles-shredded", "kek-made", "epoch-rewrapped", "kek-destroyed"])
def test_a_crash_while_shredding_leaves_a_log_that_opens_and_is_made_good_by_shredding_again(
    sqlite_place: LogPlace, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(sqlite_place)
    with open_log(sqlite_place, NOW, "retentiond 0") as log:
        log.rotate(NOW)
        delete(log, "gerd")

    class Crash(BaseException):
        pass

    def crash(passed: str) -> None:
        if passed == name:
            raise Crash

    monkeypatch.setattr(failpoint, "hook", crash)
    with pytest.raises(Crash), open_log(sqlite_place, NOW, "retentiond 0") as log:
        log.shred("2026-1", NOW)
    monkeypatch.undo()
    assert verify_log(sqlite_place, full=True).problems == ()
    with open_log(sqlite_place, NOW, "retentiond 0") as log:
        delete(log, "hans")
        log.shred("2026-1", NOW)
        assert log.epochs == ("2026-2",)
    names = {file.name for file in (sqlite_place.state / "keys").iterdir()}
    assert names == {"kek", "signing-seed", "epoch-2026-2"}
    with open_log(sqlite_place, NOW, "retentiond 0") as log:
        delete(log, "ida")
        log.checkpoint(NOW)
    with read_log(sqlite_place) as reader:
        assert all(len(reader.find(TARGET, (key,))) == 1 for key in ("gerd", "hans", "ida"))
    assert verify_log(sqlite_place, full=True).problems == ()


def test_the_epoch_in_use_and_one_in_doubt_are_not_shredded(sqlite_place: LogPlace) -> None:
    with open_log(sqlite_place, NOW, "retentiond 0") as log:
        log.intend(intent_of(), records_of("anna"), NOW)
        with pytest.raises(ConfigurationError, match="in use"):
            log.shred("2026-1", NOW)
        log.rotate(NOW)
        with pytest.raises(StateError, match="in doubt"):
            log.shred("2026-1", NOW)
        with pytest.raises(ConfigurationError, match="no epoch 2020-1"):
            log.shred("2020-1", NOW)
        with pytest.raises(ConfigurationError, match="leave --new-kek out"):
            log.shred("2026-1", NOW, bytes(32))


def test_a_wrapping_key_from_systemd_is_exchanged_by_the_operator(
    sqlite_place: LogPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    credentials = sqlite_place.state.parent / "credentials"
    credentials.mkdir()
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials))
    (credentials / "retentiond-kek").write_bytes(bytes(32))
    written(sqlite_place)
    fresh = bytes([1]) * 32
    with open_log(sqlite_place, NOW, "retentiond 0") as log:
        log.rotate(NOW)
        delete(log, "gerd")
        with pytest.raises(ConfigurationError, match="--new-kek"):
            log.shred("2026-1", NOW)
        with pytest.raises(ConfigurationError, match="32 bytes"):
            log.shred("2026-1", NOW, b"short")
        log.shred("2026-1", NOW, fresh)
    with open_log(sqlite_place, NOW, "retentiond 0") as log:  # the old credential is still there
        delete(log, "hans")
    (credentials / "retentiond-kek").write_bytes(fresh)
    with open_log(sqlite_place, NOW, "retentiond 0") as log:
        assert log.epochs == ("2026-2",)
        delete(log, "ida")
        log.checkpoint(NOW)
    with read_log(sqlite_place) as reader:
        assert all(len(reader.find(TARGET, (key,))) == 1 for key in ("gerd", "hans", "ida"))


def test_what_opens_one_record_opens_no_other(sqlite_place: LogPlace) -> None:
    written(sqlite_place)
    with read_log(sqlite_place) as log:
        (entry,) = log.find(TARGET, ("anna",))
        (opening,) = log.find_openings(TARGET, ("anna",), [entry])
        assert opened(opening) == raw(log.entry(entry.index).fields["rc"])
        assert "anna" not in repr(opening)
        with pytest.raises(Exception, match="another record"):
            log.find_openings(TARGET, ("bert",), [entry])


def test_a_log_that_was_written_meanwhile_is_not_proven_before_it_is_signed(sqlite_place: LogPlace) -> None:
    with open_log(sqlite_place, NOW, "retentiond 0") as log:
        with read_log(sqlite_place) as reader, pytest.raises(StateError, match="signed yet"):
            reader.proof(0)
        log.checkpoint(NOW)
        delete(log, "anna")
        with read_log(sqlite_place) as reader:
            reader.proof(0)
            with pytest.raises(StateError, match="not signed yet"):
                reader.proof(reader.size - 1)
