"""The arithmetic of batches: what was intended, what became of it, and that both agree. Needs no key."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from retentiond.audit.leaf import ALLOWED, TEXT, kind_of, moment, raws, read_leaf
from retentiond.audit.note import VerifierKey
from retentiond.audit.tree import DIGEST, leaf_hash
from retentiond.model.record import FAILURE_CODES, How, OutcomeKind

MOST_TOLD = 20
"""So many problems are told; a log that is damaged all over needs no more."""


@dataclass(slots=True)
class Problems:
    """What is amiss, as finished sentences."""

    found: list[str] = field(default_factory=list)

    def add(self, what: str) -> None:
        """Tell of one more, unless it was told, or too many were."""
        if len(self.found) < MOST_TOLD and what not in self.found:
            self.found.append(what)


@dataclass(frozen=True, slots=True)
class Word:
    """What one person allowed, as it stands in the log."""

    subject: str
    """`rule` or `removal`, and the rule."""
    digest: str
    by: str
    """The person's staff id."""
    at: datetime
    """UTC, to the second."""


@dataclass(slots=True)
class Batch:
    """A batch that was intended, as far as it was read."""

    index: int
    number: str
    place: str
    """Its data set."""
    kid: str
    count: int
    items: str
    seen: int = 0
    first: int = -1
    """The index of its first outcome."""
    hidden: bytearray = field(default_factory=bytearray)
    """The commitments of its outcomes, in one piece."""
    counts: Counter[str] = field(default_factory=Counter)


class Openings(Protocol):
    """Compares what the log keeps beside its entries with a batch that was read whole."""

    def intended(self, batch: Batch) -> None:
        """A batch was intended."""

    def concluded(self, batch: Batch) -> None:
        """A batch was concluded, and its arithmetic is right."""


@dataclass(slots=True)
class Pruned:
    """How far the log says it was pruned."""

    openings: int = 0
    """Up to this index, without it, batches can no longer be opened."""
    entries: int = 0
    """Up to this index, without it, entries are gone."""
    kept: dict[int, str] = field(default_factory=dict)
    """By how far entries are gone, the digest over those that were kept."""
    shredded: set[str] = field(default_factory=set)
    """The epochs whose handles are gone."""


class Arithmetic:
    """Takes in all entries in order, and remembers what they say that still matters at the end."""

    def __init__(
        self, problems: Problems, openings: Openings, signed: Collection[int], origin: str, key: VerifierKey, begin: int
    ) -> None:
        """`signed` are the sizes of all checkpoints; `begin` is the index of the first entry that was not pruned."""
        self.open: dict[int, Batch] = {}
        self.intended = 0
        self.approvals: set[tuple[str, str]] = set()
        self.policies: dict[str, tuple[str, str]] = {}
        self.words: list[Word] = []
        self.holds: dict[str, str] = {}
        self.last_at: str | None = None
        self.pruned = Pruned()
        self._signed = signed
        self._origin = origin
        self._key = key
        self._begin = begin
        self._cut = begin > 0
        self._openings = openings
        self._numbers: dict[str, int] = {}  # of the batches that are open
        self._problems = problems

    def take(self, start: int, leaves: Sequence[bytes]) -> None:
        """Look at the next entries, of which the first has the index `start`."""
        place = 0
        while place < len(leaves):
            taken = self._run(start + place, leaves, place)
            if not taken:
                self._one(start + place, leaves[place])
                taken = 1
            place += taken

    def _run(self, index: int, leaves: Sequence[bytes], place: int) -> int:
        """How many entries from `place` on are plain outcomes of one kind, of one open batch and in order; these were taken."""
        leaf = leaves[place]
        if not leaf.startswith(b'{"how":"'):
            return 0
        try:
            fields = read_leaf(leaf)
            batch = self.open[fields["i"]]
            if fields.keys() != _PLAIN or fields["n"] != batch.seen:
                return 0
            end = min(len(leaves), place + batch.count - batch.seen)
            before, between = leaf[: leaf.index(b'"n":') + 4], leaf[leaf.index(b',"o":') : -TEXT - 2]
            alike = leaves[place:end]
            written = [leaf[-TEXT - 2 : -2] for leaf in alike]
            numbers = range(batch.seen, batch.seen + len(alike))
            expected = [b'%b%d%b%b"}' % (before, number, between, rc) for number, rc in zip(numbers, written, strict=True)]
            if expected != alike:
                del written[next(step for step, one in enumerate(expected) if one != alike[step]) :]
            kind, how = OutcomeKind(fields["o"]), How(fields["how"])
            if how not in ALLOWED[kind] or kind is OutcomeKind.FAILED:
                return 0
            hidden = raws(written)
        except (KeyError, TypeError, ValueError):
            return 0  # taken one by one, each is told for itself
        self._outcomes(index, batch, kind, hidden)
        return len(written)

    def _outcomes(self, index: int, batch: Batch, kind: OutcomeKind, hidden: bytes) -> None:
        count = len(hidden) // DIGEST
        if not batch.seen:
            batch.first = index
        batch.seen += count
        batch.hidden += hidden
        batch.counts[kind.value] += count

    def _one(self, index: int, leaf: bytes) -> None:
        try:
            fields = read_leaf(leaf)
        except ValueError:
            self._problems.add(f"Entry {index} cannot be read.")
            return
        begun = fields.get("kind"), fields.get("origin"), fields.get("vkey")
        if index == 0 and begun != ("log-start", self._origin, str(self._key)):
            self._problems.add("The first entry is not the beginning of this log under this key.")
        try:
            self.last_at = fields.get("at", self.last_at)
            if "kind" not in fields:
                self._outcome(index, fields)
            elif fields.get("v") == 1:
                self._event(index, fields)
        except (KeyError, TypeError, ValueError):
            self._problems.add(f"Entry {index} ({kind_of(fields)}) lacks something, or says something that cannot be.")

    def compare_open(self, put_aside: set[int]) -> None:
        """Compare what is open with the rows put aside for open batches."""
        for index, batch in self.open.items():
            if batch.seen:
                self._problems.add(f"The batch of entry {index} has outcomes and no conclusion; both are written together.")
        for index in self.open.keys() - put_aside:
            self._problems.add(f"The batch of entry {index} is open, but what is needed to look it up is gone.")
        for index in put_aside - self.open.keys():
            self._problems.add(f"Something is put aside for a batch of entry {index}, but none is open there.")

    def _event(self, index: int, fields: Mapping[str, Any]) -> None:
        match fields["kind"]:
            case "run-start" if index not in self._signed:
                # No run begins before all there is was signed; else whoever has no key could take them away and write.
                self._problems.add(f"Entry {index} begins a run, but the signature of what stands before it is gone.")
            case "intent":
                self._intent(index, fields)
            case "concluded":
                self._concluded(index, fields)
            case "approval":
                self.approvals.add((fields["subject"], fields["digest"]))
                if fields["subject"].startswith(("rule ", "removal ")):
                    self.words.append(Word(fields["subject"], fields["digest"], fields["by"], moment(fields["at"])))
            case "hold" if fields["op"] == "placed":
                self.holds[fields["hold"]] = fields["type"]
            case "hold" if fields["op"] == "lifted":
                self.holds.pop(fields["hold"], None)
            case "policy":
                self.policies[fields["rule"].partition("@")[0]] = fields["digest"], fields["mode"]
            case "prune":
                if fields["to"] > index:
                    raise ValueError("what comes later cannot be pruned")
                self.pruned.openings = max(self.pruned.openings, fields["to"])
                if fields["level"] == ENTRIES:
                    self.pruned.entries = max(self.pruned.entries, fields["to"])
                    self.pruned.kept[fields["to"]] = fields["kept"]
            case "key" if (fields["what"], fields["op"]) == ("epoch", "shredding"):
                self.pruned.shredded.add(fields["kid"])

    def _intent(self, index: int, fields: Mapping[str, Any]) -> None:
        if fields["count"] < 1 or fields["batch"] in self._numbers:
            self._problems.add(f"Entry {index} intends nothing, or a batch that was intended before.")
        self.intended += 1
        place = f"{fields['system']}/{fields['dataset']}"
        batch = Batch(index, fields["batch"], place, fields["kid"], fields["count"], fields["items"])
        self.open[index] = batch
        self._numbers[batch.number] = index
        self._openings.intended(batch)

    def _concluded(self, index: int, fields: Mapping[str, Any]) -> None:
        place = self._numbers.get(fields["batch"], -1)
        batch = self.open.pop(place, None)
        if batch is None:
            if not self._cut:  # of a batch whose beginning was pruned the end may still be there
                self._problems.add(f"Entry {index} concludes a batch that is not open.")
            self._cut = False
            return
        self._numbers.pop(fields["batch"])
        agreed = (
            batch.seen == batch.count == fields["count"]
            and hashlib.sha256(batch.hidden).hexdigest() == batch.items
            and dict(batch.counts) == fields["counts"]
        )
        if agreed:
            self._openings.concluded(batch)
        else:
            self._problems.add(f"Entry {index} concludes another batch than was intended at entry {place}.")

    def _outcome(self, index: int, fields: Mapping[str, Any]) -> None:
        batch = self.open.get(fields["i"])
        if batch is None and 0 <= fields["i"] < self._begin and not self.intended:
            self._cut = True
            return
        if batch is None or fields["n"] != batch.seen:
            self._problems.add(f"Entry {index} is an outcome that was not intended, or stands out of order.")
            return
        kind, how = OutcomeKind(fields["o"]), How(fields["how"])
        if how not in ALLOWED[kind] or (fields.get("code") in FAILURE_CODES) != (kind is OutcomeKind.FAILED):
            self._problems.add(f"Entry {index} claims more than can be known.")
        self._outcomes(index, batch, kind, raws([fields["rc"].encode()]))


ENTRIES = 2
"""The level of pruning at which entries go; at the one before only what opens them."""

_PLAIN = {"how", "i", "n", "o", "rc"}


def kept_digest(kept: Iterable[tuple[int, bytes]]) -> str:
    """The digest (hex) over index and hash of the entries that stay when those around them go."""
    return hashlib.sha256(b"".join(index.to_bytes(8) + leaf_hash(leaf) for index, leaf in kept)).hexdigest()
