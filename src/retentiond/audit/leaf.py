"""The bytes of a leaf: written by an allow-list, read back strictly. Stored bytes are hashed bytes; nothing is re-serialised."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from retentiond.errors import AuditError
from retentiond.model.record import CLAIMS, FAILURE_CODES, How, Outcome, OutcomeKind

VERSION = 1
LONGEST = 2048
MOST = 2**53

Fields = Mapping[str, Any]

_BATCH = ("run", "rule", "rule_digest", "plan_digest", "system", "dataset", "action")
KINDS: Mapping[str, frozenset[str]] = {
    "log-start": frozenset({"origin", "generation", "vkey", "software"}),
    "policy": frozenset({"policy", "rule", "digest", "file_digest", "mode"}),
    "approval": frozenset({"subject", "digest", "decision", "by"}),
    "hold": frozenset({"hold", "type", "op", "scope_digest", "by"}),
    "run-start": frozenset({"run", "trigger", "policy_digest", "tzdata", "clock"}),
    "run-end": frozenset({"run", "status", "counts"}),
    "plan": frozenset({*_BATCH, "cutoff", "counts"}),
    "intent": frozenset({*_BATCH, "batch", "kid", "count", "items", "due"}),
    "concluded": frozenset({"batch", "count", "counts"}),
    "key": frozenset({"what", "op"}),
    "anchor": frozenset({"type", "size", "root", "digest"}),
}
"""What each kind of leaf must say beside `v`, `kind` and `at`; `outcome` leaves are made by `outcome_leaf`."""

OPTIONAL: Mapping[str, frozenset[str]] = {"concluded": frozenset({"resolved"}), "key": frozenset({"kid", "vkey"})}

ALLOWED: Mapping[OutcomeKind, frozenset[How]] = {
    OutcomeKind.CONFIRMED: CLAIMS,
    OutcomeKind.PENDING_COPIES: CLAIMS,
    OutcomeKind.UNVERIFIED: CLAIMS,
    OutcomeKind.ALREADY_ABSENT: frozenset({How.NOT_FOUND, How.PROBE}),
    OutcomeKind.CHANGED: frozenset({How.NONE}),
    OutcomeKind.HELD: frozenset({How.NONE}),
    OutcomeKind.FAILED: frozenset({How.NONE}),
}
"""By what each outcome may be known; nothing else is ever written."""


def event_leaf(kind: str, at: datetime, fields: Fields) -> bytes:
    """The leaf of everything but an outcome; raises `AuditError` for an unknown kind, or a field too many or too few."""
    needed = KINDS.get(kind)
    if needed is None or not needed <= fields.keys() or fields.keys() - needed - OPTIONAL.get(kind, frozenset()):
        raise AuditError(f"An entry of kind {kind} cannot have these fields; nothing was written. This is a defect.")
    return _bytes({"v": VERSION, "kind": kind, "at": instant(at), **fields})


def outcome_leaf(intent: int, number: int, outcome: Outcome, commitment: bytes) -> bytes:
    """The leaf of one record; raises `AuditError` where the outcome claims what it must not claim."""
    failed = outcome.kind is OutcomeKind.FAILED
    if (
        outcome.how not in ALLOWED[outcome.kind]
        or (outcome.code in FAILURE_CODES) != failed
        or (outcome.code is not None) != failed
        or (outcome.until is not None and outcome.kind is not OutcomeKind.PENDING_COPIES)
        or (outcome.rows is not None and outcome.rows < 0)
    ):
        raise AuditError(
            f"An outcome {outcome.kind} known by {outcome.how} says more than can be known, so nothing was written. "
            f"This is a defect."
        )
    rc = text(commitment)
    if outcome.code is None and outcome.until is None and outcome.rows in {None, 1}:
        # Written out, because there is one for nearly every record ever dealt with; a test holds it equal to the other way.
        return f'{{"how":"{outcome.how.value}","i":{intent},"n":{number},"o":"{outcome.kind.value}","rc":"{rc}"}}'.encode()
    fields: dict[str, Any] = {"i": intent, "n": number, "o": outcome.kind.value, "how": outcome.how.value, "rc": rc}
    if outcome.code is not None:
        fields["code"] = outcome.code
    if outcome.until is not None:
        fields["until"] = instant(outcome.until)
    if outcome.rows is not None and outcome.rows != 1:
        fields["rows"] = outcome.rows
    return _bytes(fields)


def read_leaf(leaf: bytes) -> dict[str, Any]:
    """The fields of a leaf; raises `ValueError` where it is none."""
    if len(leaf) > LONGEST:
        raise ValueError("a leaf is shorter")
    try:
        fields = json.loads(leaf.decode("ascii"), object_pairs_hook=_once, parse_float=_refused, parse_constant=_refused)
    except RecursionError:
        raise ValueError("a leaf is flat") from None
    if not isinstance(fields, dict) or not all(_readable(name, value) for name, value in fields.items()):
        raise ValueError("a leaf is an object of text and whole numbers")
    return fields


def kind_of(fields: Fields) -> str:
    """The kind of a leaf that was read; that of an outcome is told by its shape."""
    return str(fields.get("kind", "outcome"))


def instant(moment: datetime) -> str:
    """A moment as it stands in the log: UTC, to the second."""
    if moment.utcoffset() is None:
        raise AuditError("A moment without a zone cannot stand in the log. This is a defect.")
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def moment(written: str) -> datetime:
    """Read back what `instant` wrote; raises `ValueError`."""
    return datetime.strptime(written, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)


def text(value: bytes) -> str:
    """Bytes in base64url, unpadded."""
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def raw(value: str) -> bytes:
    """Read back what `text` wrote; raises `ValueError`."""
    return base64.b64decode(value + "=" * (-len(value) % 4), altchars=b"-_", validate=True)


def _bytes(fields: dict[str, Any]) -> bytes:
    for name, value in fields.items():
        _check(value, nested=name == "counts")
    leaf = json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()
    if len(leaf) > LONGEST:
        raise AuditError("An entry would be longer than the log allows; nothing was written.")
    return leaf


def _readable(name: str, value: Any) -> bool:
    if name == "counts":
        return isinstance(value, dict) and all(type(number) is int for number in value.values())
    return type(value) is str or type(value) is int


def _check(value: Any, *, nested: bool) -> None:
    match value:
        case bool() | None | float():
            raise AuditError("An entry holds text and whole numbers only; nothing was written. This is a defect.")
        case str() if not nested:
            return
        case int() if not nested and abs(value) < MOST:
            return
        case Mapping() if nested and all(isinstance(name, str) and type(number) is int for name, number in value.items()):
            for number in value.values():
                _check(number, nested=False)
        case _:
            raise AuditError("An entry holds text and whole numbers only; nothing was written. This is a defect.")


def _once(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError("a field stands twice")
        found[name] = value
    return found


def _refused(_text: str) -> Any:
    raise ValueError("a number with a fraction")
