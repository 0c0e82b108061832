"""Leaves hold what the format knows and nothing else."""

from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retentiond.audit.leaf import (
    KINDS,
    LONGEST,
    event_leaf,
    instant,
    kind_of,
    moment,
    outcome_leaves,
    raw,
    raws,
    read_leaf,
    text,
    texts,
)
from retentiond.errors import AuditError
from retentiond.model.record import FAILURE_CODES, How, Outcome, OutcomeKind

NOW = datetime(2026, 11, 22, 3, 12, 1, 999999, tzinfo=UTC)
OUTCOMES = (
    Outcome(OutcomeKind.CONFIRMED, How.RETURNING),
    Outcome(OutcomeKind.CONFIRMED, How.UNLINK, rows=7),
    Outcome(OutcomeKind.CONFIRMED, How.UNLINK, rows=1),
    Outcome(OutcomeKind.CONFIRMED, How.RETURNING, again=3),
    Outcome(OutcomeKind.PENDING_COPIES, How.RETURNING, until=datetime(2026, 12, 24, tzinfo=UTC)),
    Outcome(OutcomeKind.ALREADY_ABSENT, How.PROBE),
    Outcome(OutcomeKind.FAILED, code="refused"),
    Outcome(OutcomeKind.FAILED, code="referenced"),
    Outcome(OutcomeKind.HELD),
)
APPROVAL = {"subject": "rule crm.lead", "digest": "ab" * 32, "decision": "approved", "by": "s17"}


def outcome_leaf(intent: int, number: int, outcome: Outcome, rc: bytes) -> bytes:
    return outcome_leaves(intent, [outcome] * (number + 1), [rc] * (number + 1))[number]


def test_a_leaf_is_ascii_json_with_sorted_keys_and_no_spaces() -> None:
    leaf = event_leaf("approval", NOW, APPROVAL | {"by": "jörg"})
    assert leaf == (
        b'{"at":"2026-11-22T03:12:01Z","by":"j\\u00f6rg","decision":"approved","digest":"' + b"ab" * 32 + b'",'
        b'"kind":"approval","subject":"rule crm.lead","v":1}'
    )


def test_an_outcome_is_compact_and_tells_its_kind_by_its_shape() -> None:
    leaf = outcome_leaf(7, 2, Outcome(OutcomeKind.CONFIRMED, How.UNLINK), bytes(32))
    assert leaf == b'{"how":"unlink","i":7,"n":2,"o":"confirmed","rc":"' + b"A" * 43 + b'"}'
    assert kind_of(read_leaf(leaf)) == "outcome"


def test_what_is_apt_stands_in_an_outcome() -> None:
    until = datetime(2026, 12, 24, tzinfo=UTC)
    copies = read_leaf(outcome_leaf(7, 2, Outcome(OutcomeKind.PENDING_COPIES, How.RESPONSE, until=until, rows=3), bytes(32)))
    assert (copies["until"], copies["rows"]) == ("2026-12-24T00:00:00Z", 3)
    failed = read_leaf(outcome_leaf(7, 2, Outcome(OutcomeKind.FAILED, code="referenced"), bytes(32)))
    assert failed["code"] == "referenced"


@pytest.mark.parametrize(("kind", "how"), list(itertools.product(OutcomeKind, How)))
def test_an_outcome_claims_only_what_its_how_allows(kind: OutcomeKind, how: How) -> None:
    acknowledged = {How.RETURNING, How.ROWCOUNT, How.RECEIPT, How.XID, How.RESPONSE, How.STORED_ANSWER, How.UNLINK}
    allowed = {
        OutcomeKind.CONFIRMED: acknowledged,
        OutcomeKind.PENDING_COPIES: acknowledged,
        OutcomeKind.UNVERIFIED: acknowledged,
        OutcomeKind.ALREADY_ABSENT: {How.NOT_FOUND, How.PROBE, How.OPERATOR},
        OutcomeKind.CHANGED: {How.NONE},
        OutcomeKind.HELD: {How.NONE},
        OutcomeKind.FAILED: {How.NONE},
    }
    outcome = Outcome(kind, how, code="refused" if kind is OutcomeKind.FAILED else None)
    if how in allowed[kind]:
        assert read_leaf(outcome_leaf(1, 0, outcome, bytes(32)))["o"] == kind.value
    else:
        with pytest.raises(AuditError):
            outcome_leaf(1, 0, outcome, bytes(32))


@pytest.mark.parametrize(
    "outcome",
    [
        Outcome(OutcomeKind.FAILED),
        Outcome(OutcomeKind.FAILED, code="Key (mail)=(anna@example.org) is still referenced"),
        Outcome(OutcomeKind.CONFIRMED, How.UNLINK, code="refused"),
        Outcome(OutcomeKind.CONFIRMED, How.UNLINK, until=NOW),
        Outcome(OutcomeKind.CONFIRMED, How.UNLINK, rows=-1),
    ],
)
def test_an_outcome_that_contradicts_itself_is_refused_without_repeating_it(outcome: Outcome) -> None:
    with pytest.raises(AuditError) as caught:
        outcome_leaf(1, 0, outcome, bytes(32))
    assert "anna" not in str(caught.value)


@given(st.sampled_from(sorted(FAILURE_CODES)), st.integers(0, 10**9), st.integers(0, 999), st.binary(min_size=32, max_size=32))
def test_every_outcome_reads_back(code: str, i: int, n: int, rc: bytes) -> None:
    fields = read_leaf(outcome_leaf(i, n, Outcome(OutcomeKind.FAILED, code=code), rc))
    assert fields == {"i": i, "n": n, "o": "failed", "how": "none", "code": code, "rc": text(rc)}
    assert raw(fields["rc"]) == rc


@given(st.lists(st.sampled_from([*OUTCOMES]), max_size=20))
def test_a_batch_is_written_as_each_of_its_outcomes_would_be(outcomes: list[Outcome]) -> None:
    """The common ones are written out by hand; they must be what the allow-list writes."""
    rcs = [bytes([number]) * 32 for number in range(len(outcomes))]
    for number, leaf in enumerate(outcome_leaves(7, outcomes, rcs)):
        fields = read_leaf(leaf)
        assert leaf == json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()
        assert (fields["i"], fields["n"], fields["o"], raw(fields["rc"])) == (7, number, outcomes[number].kind, rcs[number])
        assert fields.get("code") == outcomes[number].code
        assert fields.get("again") == outcomes[number].again


@given(st.lists(st.binary(min_size=32, max_size=32), max_size=5))
def test_many_hashes_are_written_as_one_would_be(hashes: list[bytes]) -> None:
    written = texts(hashes)
    assert written == [text(one).encode() for one in hashes]
    assert raws(written) == b"".join(hashes)


@pytest.mark.parametrize("rc", [b"A" * 42, b"A" * 44, b"A" * 42 + b"+", b"A" * 42 + b"=", b"A" * 42 + b"B", b""])
def test_a_hash_is_read_only_as_it_would_be_written(rc: bytes) -> None:
    for written in ([rc], [b"A" * 43, rc], [rc, b"A" * 43]):
        with pytest.raises(ValueError, match="hash"):
            raws(written)


def test_a_failure_without_its_reason_is_refused_behind_one_that_has_it() -> None:
    with pytest.raises(AuditError):
        outcome_leaves(7, [Outcome(OutcomeKind.FAILED, code="refused"), Outcome(OutcomeKind.FAILED)], [bytes(32)] * 2)


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        pytest.param("gossip", APPROVAL, id="an unknown kind"),
        pytest.param("approval", APPROVAL | {"name": "Anna Schmidt"}, id="an unknown field"),
        pytest.param("approval", {k: v for k, v in APPROVAL.items() if k != "by"}, id="a missing field"),
        pytest.param("approval", APPROVAL | {"by": None}, id="null"),
        pytest.param("approval", APPROVAL | {"by": True}, id="a boolean"),
        pytest.param("approval", APPROVAL | {"by": 1.5}, id="a float"),
        pytest.param("approval", APPROVAL | {"by": ["s17"]}, id="a list"),
        pytest.param("approval", APPROVAL | {"by": {"s17": 1}}, id="an object that is no counts"),
        pytest.param("approval", APPROVAL | {"by": 2**53}, id="too large a number"),
        pytest.param("approval", APPROVAL | {"by": "x" * LONGEST}, id="too long"),
        pytest.param("approval", APPROVAL | {"at": "2020-01-01T00:00:00Z"}, id="a time of its own"),
        pytest.param("approval", APPROVAL | {"v": 2}, id="a version of its own"),
        pytest.param("run-end", {"run": "r", "status": "done", "counts": {"due": 1.5}}, id="a float in counts"),
        pytest.param("run-end", {"run": "r", "status": "done", "counts": {"due": {"x": 1}}}, id="counts within counts"),
        pytest.param("run-end", {"run": "r", "status": "done", "counts": {"due": "anna"}}, id="text in counts"),
        pytest.param("run-end", {"run": "r", "status": "done", "counts": "none"}, id="text for counts"),
    ],
)
def test_what_the_format_does_not_know_is_not_written(kind: str, fields: dict[str, Any]) -> None:
    with pytest.raises(AuditError) as caught:
        event_leaf(kind, NOW, fields)
    assert "Anna" not in str(caught.value)


@pytest.mark.parametrize(
    "leaf",
    [
        b"",
        b"[]",
        b'"text"',
        b'{"a":1,"a":2}',
        b'{"a":{"b":1,"b":1}}',
        b'{"a":1.0}',
        b'{"a":1e3}',
        b'{"a":NaN}',
        b'{"a":"\xc3\xb6"}',
        b'{"a":1}{"b":2}',
        b"{" * 100_000,
        b'{"a":true}',
        b'{"a":null}',
        b'{"a":[1]}',
        b'{"a":"' + b"x" * LONGEST + b'"}',
    ],
)
def test_what_is_no_leaf_is_refused(leaf: bytes) -> None:
    with pytest.raises(ValueError, match=r"leaf|field|fraction|ascii|JSON|Expecting|Extra"):
        read_leaf(leaf)


def test_another_version_is_read_raw() -> None:
    assert read_leaf(b'{"at":"x","kind":"novel","v":2}') == {"at": "x", "kind": "novel", "v": 2}


def test_moments_are_kept_in_utc_to_the_second() -> None:
    kathmandu = timezone(timedelta(hours=5, minutes=45))
    assert instant(NOW.astimezone(kathmandu)) == "2026-11-22T03:12:01Z"
    assert moment("2026-11-22T03:12:01Z") == NOW.replace(microsecond=0)
    with pytest.raises(AuditError):
        instant(NOW.replace(tzinfo=None))


def test_every_kind_of_the_format_is_there() -> None:
    expected = "log-start policy approval run-start run-end plan intent concluded key"
    assert set(expected.split()) <= set(KINDS)


def test_no_leaf_uses_what_other_readers_of_json_might_read_differently() -> None:
    leaf = event_leaf("approval", NOW, APPROVAL)
    assert json.dumps(json.loads(leaf), sort_keys=True, separators=(",", ":")).encode() == leaf
