"""A deletion log held in memory, whole, as somebody makes it who has the key: to be exported, or forged."""

from __future__ import annotations

import base64
import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from retentiond.audit.export import write_export
from retentiond.audit.note import Checkpoint, Signer
from retentiond.audit.proof import consistency_text, proof_text
from retentiond.audit.proving import Signed
from retentiond.audit.tile import full_bundle, hash_at_of
from retentiond.audit.tree import Range, consistency_proof, inclusion_proof, leaf_hash, root

ORIGIN = "log.example.org/retentiond/test"
SIGNER = Signer(ORIGIN, Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
STRANGER = Signer(ORIGIN, Ed25519PrivateKey.from_private_bytes(bytes(32)))
NOW = datetime(2026, 11, 22, 3, 12, 1, tzinfo=UTC)


def leaf(**fields: Any) -> bytes:
    """An entry as the log writes it."""
    return json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()


def event(kind: str, **fields: Any) -> bytes:
    """An entry of any kind but an outcome."""
    return leaf(v=1, kind=kind, at="2026-11-22T03:12:01Z", **fields)


def commitments(seed: object, count: int) -> list[bytes]:
    """As many commitments as a batch has records."""
    return [hashlib.sha256(f"{seed} {number}".encode()).digest() for number in range(count)]


def batch(index: int, name: str, count: int, outcomes: Sequence[str] = (), how: str = "returning") -> list[bytes]:
    """The entries of a batch whose intent has this index."""
    hidden = commitments(name, count)
    what = [*outcomes, *["confirmed"] * (count - len(outcomes))]
    intent = event("intent", batch=name, count=count, items=hashlib.sha256(b"".join(hidden)).hexdigest(), run="r", kid="2026-1")
    texts = [base64.urlsafe_b64encode(one).rstrip(b"=").decode() for one in hidden]
    done = [
        leaf(
            i=index,
            n=number,
            o=one,
            how=how if one == "confirmed" else "none",
            rc=rc,
            **({"code": "refused"} if one == "failed" else {}),
        )
        for number, (one, rc) in enumerate(zip(what, texts, strict=True))
    ]
    return [intent, *done, event("concluded", batch=name, count=count, counts=dict(Counter(what)))]


class Memory:
    """A log; `sizes` are those at which it was signed."""

    def __init__(self, signer: Signer = SIGNER) -> None:
        self.signer = signer
        self.leaves = [event("log-start", origin=signer.name, generation=1, vkey=str(signer.verifier), software="retentiond 0")]
        self.sizes: list[int] = []
        self.pruned = 0

    def run(self, *batches: int) -> Memory:
        """One more run, with batches of so many records, signed before and after."""
        self.sign()
        run = f"run {len(self.leaves)}"
        self.leaves.append(event("run-start", run=run, trigger="command", policy_digest="", tzdata="2026a", clock="believed"))
        for number, count in enumerate(batches):
            self.leaves += batch(len(self.leaves), f"{run}.{number}", count)
        self.leaves.append(event("run-end", run=run, status="done", counts={"confirmed": sum(batches)}))
        return self.sign()

    def sign(self) -> Memory:
        """Sign it as it is."""
        if len(self.leaves) not in self.sizes:
            self.sizes.append(len(self.leaves))
        return self

    @property
    def size(self) -> int:
        """How many entries are signed."""
        return self.sizes[-1]

    def checkpoint(self, size: int | None = None) -> Checkpoint:
        """What is signed at this size."""
        size = self.size if size is None else size
        return Checkpoint(self.signer.name, size, Range().grown(self.leaves[:size]).root())

    def note(self, size: int | None = None) -> str:
        """The signed checkpoint of this size."""
        return self.signer.sign(self.checkpoint(size).text())

    @property
    def newest(self) -> Signed:
        """The newest checkpoint."""
        return Signed(self.size, self.note())

    def notes(self) -> Mapping[int, str]:
        """Every checkpoint."""
        return {size: self.note(size) for size in self.sizes}

    def tile(self, level: int, n: int) -> bytes:
        """The hashes of one tile, also of what is not signed yet."""
        if not level:
            return b"".join(map(leaf_hash, self.leaves[n * 256 : (n + 1) * 256]))
        full = range(n * 256, min((n + 1) * 256, len(self.leaves) >> 8 * level))
        return b"".join(Range().grown(self.leaves[one << 8 * level : (one + 1) << 8 * level]).root() for one in full)

    def bundle(self, n: int) -> bytes | None:
        """One bundle, also of what is not signed yet."""
        return None if n * 256 < self.pruned else full_bundle(self.leaves[n * 256 : (n + 1) * 256])

    def proof(self, index: int, size: int | None = None) -> str:
        """The proof file of an entry."""
        size = self.size if size is None else size
        return proof_text(self.leaves[index], index, inclusion_proof(index, size, hash_at_of(self.tile)), self.note(size))

    def consistency(self, old: int) -> str:
        """The consistency file from an older state."""
        return consistency_text(old, consistency_proof(old, self.size, hash_at_of(self.tile)), self.note())

    def export(self, folder: Path, period: range | None = None, extra: Mapping[str, bytes] | None = None) -> Path:
        """Write it out."""
        write_export(folder, self, self.signer.verifier, NOW, period, extra)
        assert root(self.size, hash_at_of(self.tile)) == self.checkpoint().root
        return folder


def three_runs(signer: Signer = SIGNER) -> Memory:
    """A log of some six hundred entries in three bundles, signed six times."""
    return Memory(signer).run(3, 1).run(250, 2, 100).run(240)
