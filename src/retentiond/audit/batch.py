"""A batch between intent and conclusion, and the sealed row that lets a later process find out about it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from retentiond.audit.leaf import instant, moment, raw, text
from retentiond.model.record import Action, RecordRef, Target


@dataclass(frozen=True, slots=True)
class Intent:
    """What is about to be done: everything that all records of a batch share."""

    run: str
    rule: str
    """`id@` and the first 16 hex digits of the rule's digest."""
    rule_digest: str
    plan_digest: str
    system: str
    dataset: str
    action: Action
    due: datetime
    """When the last of the records became due, aware UTC."""

    @property
    def target(self) -> Target:
        """The data set it is about."""
        return Target(self.system, self.dataset)

    @property
    def fields(self) -> dict[str, Any]:
        """As it stands in the leaf."""
        return {
            "run": self.run,
            "rule": self.rule,
            "rule_digest": self.rule_digest,
            "plan_digest": self.plan_digest,
            "system": self.system,
            "dataset": self.dataset,
            "action": self.action.value,
            "due": instant(self.due),
        }

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> Intent:
        """Read it back from a leaf's fields."""
        names = ("run", "rule", "rule_digest", "plan_digest", "system", "dataset")
        return cls(**{name: fields[name] for name in names}, action=Action(fields["action"]), due=moment(fields["due"]))


@dataclass(frozen=True, slots=True)
class OpenBatch:
    """A batch that was intended and is not concluded."""

    batch: str
    """Its id in the log, `<run>.<number>`."""
    index: int
    """The index of its intent."""
    intent: Intent
    records: tuple[RecordRef, ...] = field(repr=False)
    salt: bytes = field(repr=False)
    kid: str = ""
    """Under which epoch's key its handles were made."""
    pairs: tuple[tuple[bytes, bytes], ...] = field(default=(), repr=False, compare=False)
    """Handle and identity of each record, as far as they are known already; empty after a restart."""
    hidden: tuple[bytes, ...] = field(default=(), repr=False, compare=False)
    """Their commitments, likewise."""
    items: str = ""
    """The digest (hex) over the batch, as it stands in its intent."""
    notes: tuple[bytes, ...] = field(default=(), repr=False)
    """What the connector noted before each of its commits, in order."""
    again: tuple[int | None, ...] = ()
    """In a replay: for each record the index of the entry by which it was dealt with before."""

    def packed(self) -> bytes:
        """What a later process needs to look the batch up and conclude it."""
        records = [[list(ref.key), ref.fingerprint, list(ref.identity), ref.rows] for ref in self.records]
        body: dict[str, Any] = {
            "batch": self.batch,
            "intent": self.intent.fields,
            "salt": text(self.salt),
            "kid": self.kid,
            "records": records,
        }
        body |= {"items": self.items, "notes": [text(note) for note in self.notes]}
        if self.again:
            body["again"] = list(self.again)
        return json.dumps(body, separators=(",", ":")).encode()

    @classmethod
    def unpacked(cls, index: int, body: bytes) -> OpenBatch:
        """Read back what `packed` made."""
        fields = json.loads(body)
        return cls(
            batch=fields["batch"],
            index=index,
            intent=Intent.of(fields["intent"]),
            records=tuple(
                RecordRef(tuple(key), fingerprint=fingerprint, identity=tuple(identity), rows=rows)
                for key, fingerprint, identity, rows in fields["records"]
            ),
            salt=raw(fields["salt"]),
            kid=fields["kid"],
            items=fields.get("items", ""),
            notes=tuple(raw(note) for note in fields.get("notes", ())),
            again=tuple(fields.get("again", ())),
        )
