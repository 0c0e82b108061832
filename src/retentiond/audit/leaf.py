"""The bytes of a leaf: written by an allow-list, read back strictly. Stored bytes are hashed bytes; nothing is re-serialised."""

from __future__ import annotations

import base64
import binascii
import json
import string
from collections.abc import Iterable, Mapping, Sequence
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
    "prune": frozenset({"level", "from", "to", "rule", "counts", "size", "root"}),
    "anchor": frozenset({"type", "size", "root", "digest"}),
    "restore": frozenset({"scope", "system", "backup_at", "counts"}),
}
"""What each kind of leaf must say beside `v`, `kind` and `at`; `outcome` leaves are made by `outcome_leaves`."""

OPTIONAL: Mapping[str, frozenset[str]] = {
    "approval": frozenset({"document"}),
    "concluded": frozenset({"resolved"}),
    "key": frozenset({"kid", "vkey"}),
    "prune": frozenset({"kept"}),
    "log-start": frozenset({"prev_origin", "prev_size", "prev_root"}),
}

ALLOWED: Mapping[OutcomeKind, frozenset[How]] = {
    OutcomeKind.CONFIRMED: CLAIMS,
    OutcomeKind.PENDING_COPIES: CLAIMS,
    OutcomeKind.UNVERIFIED: CLAIMS,
    OutcomeKind.ALREADY_ABSENT: frozenset({How.NOT_FOUND, How.PROBE, How.OPERATOR}),
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


def outcome_leaves(intent: int, outcomes: Sequence[Outcome], commitments: Sequence[bytes]) -> list[bytes]:
    """The leaves of a batch, one per record in order; raises `AuditError` where an outcome claims what it must not claim."""
    begin: dict[tuple[OutcomeKind, How], tuple[bytes, bytes]] = {}
    leaves = []
    for number, (outcome, rc) in enumerate(zip(outcomes, texts(commitments), strict=True)):
        shape = outcome.kind, outcome.how
        if shape not in begin:
            _refuse_overclaim(outcome)
            # Written out, because there is one for nearly every record ever dealt with; a test holds it equal to the other way.
            how, kind = outcome.how.value.encode(), outcome.kind.value.encode()
            begin[shape] = b'{"how":"%b","i":%d,"n":' % (how, intent), b',"o":"%b","rc":"' % kind
        more = outcome.code is not None or outcome.until is not None or outcome.again is not None
        if not more and outcome.rows in _PLAIN_ROWS and outcome.kind is not OutcomeKind.FAILED:
            before, between = begin[shape]
            leaves.append(b'%b%d%b%b"}' % (before, number, between, rc))
        else:
            _refuse_overclaim(outcome)
            leaves.append(_bytes(_outcome_fields(intent, number, outcome, rc.decode())))
    return leaves


_PLAIN_ROWS = (None, 1)


def _refuse_overclaim(outcome: Outcome) -> None:
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


def _outcome_fields(intent: int, number: int, outcome: Outcome, rc: str) -> dict[str, Any]:
    fields: dict[str, Any] = {"i": intent, "n": number, "o": outcome.kind.value, "how": outcome.how.value, "rc": rc}
    if outcome.code is not None:
        fields["code"] = outcome.code
    if outcome.until is not None:
        fields["until"] = instant(outcome.until)
    if outcome.again is not None:
        fields["again"] = outcome.again
    if outcome.rows is not None and outcome.rows != 1:
        fields["rows"] = outcome.rows
    return fields


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


TEXT = 43
"""Letters of a hash in base64url."""


def texts(hashes: Sequence[bytes]) -> list[bytes]:
    """`text` of many hashes at once: with a byte between them each takes whole letters."""
    joined = binascii.b2a_base64(b"\0".join([*hashes, b""]), newline=False).translate(_URL_SAFE)
    return [joined[place : place + TEXT] for place in range(0, len(joined), TEXT + 1)]


def raws(written: Sequence[bytes]) -> bytes:
    """Read back what `texts` wrote, in one piece; raises `ValueError` where one is not just as it would be written."""
    joined = b"A".join([*written, b""])
    if not set(map(len, written)) <= {TEXT} or joined.translate(None, delete=_ALPHABET):
        raise ValueError("a hash has 43 letters")
    plain = bytearray(binascii.a2b_base64(joined.translate(_STANDARD)))
    if plain[HASH :: HASH + 1].strip(b"\0"):
        raise ValueError("a hash has 256 bits")
    del plain[HASH :: HASH + 1]
    return bytes(plain)


HASH = 32
_ALPHABET = (string.ascii_letters + string.digits + "-_").encode()
_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_STANDARD = bytes.maketrans(b"-_", b"+/")


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
