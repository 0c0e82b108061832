"""The deletion log for a person and for a program: entries, the trace of one record, and how it verified."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

from rich.console import RenderableType

from retentiond.audit import Entry, Verification
from retentiond.model.record import OutcomeKind
from retentiond.report.layout import lines, table
from retentiond.report.shown import counted, moment, shown, stamp
from retentiond.report.words import OUTCOMES


class EntryJson(TypedDict):
    """One entry of the log; `fields` are those of the leaf itself."""

    index: int
    kind: str
    at: str | None
    fields: dict[str, Any]


class EntriesJson(TypedDict):
    """What `audit list --json` writes."""

    entries: list[EntryJson]


class TraceJson(TypedDict):
    """What the log says about one record in one batch."""

    outcome: EntryJson
    intent: EntryJson


class TracesJson(TypedDict):
    """What `audit show --record … --json` writes."""

    system: str
    dataset: str
    traces: list[TraceJson]


class VerificationJson(TypedDict):
    """What `audit verify --json` writes."""

    trustworthy: bool
    size: int
    root: str
    signed_size: int | None
    signed_at: str | None
    unsigned_tail: int
    open_batches: int
    problems: list[str]


@dataclass(frozen=True, slots=True)
class Trace:
    """An outcome of one record with the intent it answers."""

    outcome: Entry
    intent: Entry


def entry_json(entry: Entry) -> EntryJson:
    """One entry for a program."""
    return {
        "index": entry.index,
        "kind": entry.kind,
        "at": stamp(entry.at) if entry.at else None,
        "fields": dict(entry.fields),
    }


def entries_text(entries: Iterable[Entry]) -> Iterator[RenderableType]:
    """The entries for a person, one line each."""
    grid = table("index", "at", "kind", "says", right=(0,))
    for entry in entries:
        at = entry.at.strftime("%Y-%m-%d %H:%M:%SZ") if entry.at else ""
        grid.add_row(str(entry.index), at, shown(entry.kind), shown(_summary(entry)))
    yield grid


def entry_text(entry: Entry) -> Iterator[RenderableType]:
    """One entry with all its fields, and the very bytes that are hashed."""
    yield f"Entry {entry.index}, {shown(entry.kind)}" + (f", {moment(entry.at)}" if entry.at else "")
    for name, value in entry.fields.items():
        yield lines(shown(f"{name}: {_value(value)}"))
    yield "  hashed as:"
    yield shown(entry.leaf.decode("utf-8", "replace"))


def trace_json(trace: Trace) -> TraceJson:
    """One trace for a program."""
    return {"outcome": entry_json(trace.outcome), "intent": entry_json(trace.intent)}


def trace_text(trace: Trace) -> str:
    """One trace in a line."""
    fields, intent = trace.outcome.fields, trace.intent.fields
    at = moment(trace.intent.at) if trace.intent.at else "at an unknown time"
    said = str(fields.get("o", ""))
    words = OUTCOMES[OutcomeKind(said)] if said in set(OutcomeKind) else said
    code = f" ({fields['code']})" if "code" in fields else ""
    return shown(
        f"{at}: {intent.get('action')} by rule {intent.get('rule')}, run {intent.get('run')}: {said} – {words}{code}; "
        f"entry {trace.outcome.index}, intended in entry {trace.intent.index}"
    )


def verification_json(found: Verification) -> VerificationJson:
    """How the log verified, for a program."""
    signed_at = found.signed_at
    return {
        "trustworthy": not found.problems,
        "size": found.size,
        "root": _root(found),
        "signed_size": found.signed_size,
        "signed_at": stamp(signed_at) if signed_at else None,
        "unsigned_tail": found.unsigned_tail,
        "open_batches": len_or_number(found.open_batches),
        "problems": list(found.problems),
    }


def verification_text(found: Verification) -> Iterator[RenderableType]:
    """How the log verified, for a person."""
    if found.problems:
        yield f"The deletion log is NOT trustworthy. {counted(len(found.problems), 'problem')}:"
        yield from (lines(shown(problem)) for problem in found.problems)
        return
    yield f"The deletion log is in order: {counted(found.size, 'entry').replace('entrys', 'entries')}, root {_root(found)}."
    yield verification_remark(found)


def verification_remark(found: Verification) -> str:
    """What the verification could not cover, in a sentence."""
    open_batches = len_or_number(found.open_batches)
    remarks = [
        f"The signed checkpoint covers {'all of them' if not found.unsigned_tail else f'{found.signed_size:,} of them'}.",
    ]
    if found.unsigned_tail:
        remarks.append(f"The last {found.unsigned_tail:,} are not signed yet; the next run signs them.")
    if open_batches:
        remarks.append(
            f"{counted(open_batches, 'batch').replace('batchs', 'batches')} in doubt; the next run looks them up first."
        )
    return " ".join(remarks)


def _summary(entry: Entry) -> str:
    """What the entry says, without digests."""
    fields = entry.fields
    names = [name for name in SPOKEN if name in fields]
    parts = [f"{name} {_value(fields[name])}" for name in names]
    return ", ".join(parts)


SPOKEN: Sequence[str] = (
    "origin",
    "software",
    "subject",
    "decision",
    "by",
    "policy",
    "trigger",
    "rule",
    "system",
    "dataset",
    "action",
    "batch",
    "count",
    "status",
    "i",
    "n",
    "o",
    "how",
    "code",
    "until",
    "counts",
    "clock",
)


def _value(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {number}" for name, number in value.items()) or "none"
    return str(value)
