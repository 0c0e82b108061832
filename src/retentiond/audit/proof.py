"""Proof files: one shows that an entry is in the log, the other that an older state of the log is the beginning of a newer one.

The first is a C2SP tlog-proof whose extra data are the entry's bytes, the second the request that a C2SP witness takes. Each ends
with a signed checkpoint, and is worth as much as the key that it is checked with. There is one way to write a proof: what reads
differently is refused.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass

from retentiond.audit.note import Checkpoint, VerifierKey, open_note
from retentiond.audit.tree import DIGEST, ProofError, leaf_hash, verify_consistency, verify_inclusion

HEADER = "c2sp.org/tlog-proof@v1"
MOST_HASHES = 63
_NUMBER = re.compile("0|[1-9][0-9]{0,18}")


@dataclass(frozen=True, slots=True)
class Proof:
    """What stands in a proof file; nothing of it is checked yet."""

    leaf: bytes
    """The entry's bytes."""
    index: int
    hashes: tuple[bytes, ...]
    """From the leaf's sibling upwards."""
    note: str
    """The signed checkpoint."""


@dataclass(frozen=True, slots=True)
class Consistency:
    """What stands in a consistency file; nothing of it is checked yet."""

    old: int
    """The size of the older state."""
    hashes: tuple[bytes, ...]
    note: str
    """The signed checkpoint of the newer state."""


def proof_text(leaf: bytes, index: int, hashes: Sequence[bytes], note: str) -> str:
    """The proof file of the entry at `index`, whose bytes are `leaf`, under the signed checkpoint `note`."""
    return "\n".join([HEADER, f"extra {_encoded(leaf)}", f"index {index}", *map(_encoded, hashes), "", note])


def parse_proof(text: str) -> Proof:
    """Read a proof file; raises `ProofError` where it is none, or holds no entry."""
    lines, note = _parted(text)
    if len(lines) < 3 or lines[0] != HEADER:  # noqa: PLR2004 - header, entry, index
        raise ProofError("This is no proof of an entry, or one without the entry.")
    return Proof(_decoded(_after("extra ", lines[1])), _number(_after("index ", lines[2])), _hashes(lines[3:]), note)


def check_proof(
    text: str, key: VerifierKey, held: Checkpoint | None = None, consistency: str | None = None
) -> tuple[bytes, int, Checkpoint]:
    """The entry, its index, and the checkpoint under which a proof file shows that it is in the log.

    `held` is a checkpoint that the verifier has already. Where it is of another size than the proof's, `consistency` has to be
    the consistency file from the smaller to the larger of both. Raises `ProofError` or `NoteError` where anything does not hold.
    Without `held`, whoever has the signing key can have made the proof for a log that nobody else ever saw.
    """
    proof = parse_proof(text)
    checkpoint = _opened(proof.note, key)
    verify_inclusion(proof.index, checkpoint.size, leaf_hash(proof.leaf), proof.hashes, checkpoint.root)
    if held is not None:
        _check_history(checkpoint, held, key, consistency)
    return proof.leaf, proof.index, checkpoint


def consistency_text(old: int, hashes: Sequence[bytes], note: str) -> str:
    """The consistency file from the state of `old` entries to the signed checkpoint `note`."""
    return "\n".join([f"old {old}", *map(_encoded, hashes), "", note])


def parse_consistency(text: str) -> Consistency:
    """Read a consistency file; raises `ProofError` where it is none."""
    lines, note = _parted(text)
    return Consistency(_number(_after("old ", lines[0])), _hashes(lines[1:]), note)


def check_consistency(text: str, key: VerifierKey, older: Checkpoint) -> Checkpoint:
    """The newer checkpoint, whose log a consistency file shows to begin with that of `older`.

    Raises `ProofError` or `NoteError` where it does not. That `older` was signed is for the caller to know.
    """
    consistency = parse_consistency(text)
    newer = _opened(consistency.note, key)
    if older.origin != newer.origin or older.size != consistency.old:
        raise ProofError("The proof begins with another checkpoint than the one at hand.")
    verify_consistency(older.size, newer.size, older.root, newer.root, consistency.hashes)
    return newer


def _check_history(checkpoint: Checkpoint, held: Checkpoint, key: VerifierKey, consistency: str | None) -> None:
    if checkpoint.size == held.size:
        if checkpoint != held:
            raise ProofError("Proof and checkpoint tell of two different histories of the log.")
        return
    if consistency is None:
        raise ProofError("The checkpoint at hand is of another size than that of the proof; a consistency file has to join them.")
    older, newer = sorted((checkpoint, held), key=lambda one: one.size)
    if check_consistency(consistency, key, older) != newer:
        raise ProofError("The consistency file leads to another checkpoint.")


def _opened(note: str, key: VerifierKey) -> Checkpoint:
    checkpoint = Checkpoint.parse(open_note(note, key))
    if checkpoint.origin != key.name:
        raise ProofError("The checkpoint is that of another log.")
    return checkpoint


def _parted(text: str) -> tuple[list[str], str]:
    head, empty, note = text.partition("\n\n")
    if not empty:
        raise ProofError("This is no proof: no checkpoint stands behind an empty line.")
    return head.split("\n"), note


def _after(word: str, line: str) -> str:
    if not line.startswith(word):
        raise ProofError(f"In this proof, a line does not begin with “{word.strip()}”.")
    return line.removeprefix(word)


def _number(text: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise ProofError("In this proof, something is no number.")
    return int(text)


def _hashes(lines: Sequence[str]) -> tuple[bytes, ...]:
    hashes = tuple(map(_decoded, lines))
    if len(hashes) > MOST_HASHES or any(len(one) != DIGEST for one in hashes):
        raise ProofError("In this proof, a hash is cut, or there are too many.")
    return hashes


def _encoded(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _decoded(text: str) -> bytes:
    try:
        raw = base64.b64decode(text, validate=True)
    except ValueError:
        raw = b""
    # Written again it must be the same: base64 can spell one value in several ways.
    if not raw or _encoded(raw) != text:
        raise ProofError("In this proof, something is no base64.")
    return raw
