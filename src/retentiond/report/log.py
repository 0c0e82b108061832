"""The deletion log for a person and for a program: entries, the trace of one record, and how it verified."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypedDict

from rich.console import RenderableType

from retentiond.anchor import Coverage
from retentiond.audit import Entry, Verification
from retentiond.model.record import OutcomeKind
from retentiond.report.anchors import CoverageJson, coverage_json, coverage_text
from retentiond.report.layout import lines, table
from retentiond.report.shown import moment, shown, stamp
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
    signed_size: int
    unsigned_tail: int
    open_batches: int
    anchors: CoverageJson | None
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


def verification_json(found: Verification, covered: Coverage | None = None) -> VerificationJson:
    """How the log verified, and how far anchors cover it, for a program."""
    return {
        "trustworthy": found.in_order,
        "size": found.size,
        "root": found.root,
        "signed_size": found.signed_size,
        "unsigned_tail": found.unsigned_tail,
        "open_batches": found.open_batches,
        "anchors": coverage_json(covered) if covered else None,
        "problems": list(found.problems),
    }


def verification_text(found: Verification, covered: Coverage | None = None) -> Iterator[RenderableType]:
    """How the log verified, and how far anchors cover it, for a person."""
    if found.problems:
        yield "The deletion log is NOT trustworthy; nothing runs until that is cleared up."
        yield from (lines(shown(problem)) for problem in found.problems)
        return
    entries = "1 entry" if found.size == 1 else f"{found.size:,} entries"
    yield f"The deletion log is in order: {entries}, root {found.root}."
    yield lines(
        f"signed: {'all of them' if not found.unsigned_tail else f'{found.signed_size:,}; the next run signs the others'}"
    )
    if found.open_batches:
        yield lines(f"in doubt: {found.open_batches:,} interrupted; the next run looks up what became of them")
    if covered is not None:
        yield from coverage_text(covered)


def _summary(entry: Entry) -> str:
    """What the entry says, without digests; `audit show` tells the rest."""
    fields = entry.fields
    place = f"{fields.get('system')}/{fields.get('dataset')}"
    batch = _short(str(fields.get("batch", "")))
    match entry.kind:
        case "outcome":
            code = f" ({fields['code']})" if "code" in fields else ""
            return f"record {fields.get('n')} of entry {fields.get('i')}: {fields.get('o')}{code}, by {fields.get('how')}"
        case "intent":
            return f"batch {batch}: to {fields.get('action')} {fields.get('count')} records of {place}, rule {_rule(fields)}"
        case "concluded":
            return f"batch {batch}: {_value(fields.get('counts'))}{', looked up after a crash' if fields.get('resolved') else ''}"
        case "plan":
            return f"{_rule(fields)}: {fields.get('action')} in {place}: {_value(fields.get('counts'))}"
        case "approval":
            return f"{fields.get('subject')} {fields.get('decision')} by {fields.get('by')}"
        case "restore":
            counts = _value(fields.get("counts"))
            return f"{fields.get('system')} ({fields.get('scope')}) as of {fields.get('backup_at')}: {counts}"
        case "run-start":
            return f"run {_short(str(fields.get('run')))} by {fields.get('trigger')}, clock {fields.get('clock')}"
        case "run-end":
            return f"run {_short(str(fields.get('run')))} {fields.get('status')}: {_value(fields.get('counts'))}"
        case "anchor":
            return f"{fields.get('size')} entries anchored by {fields.get('type')}"
        case "log-start":
            return f"{fields.get('origin')}, {fields.get('software')}"
        case _:
            return ", ".join(f"{name} {_value(value)}" for name, value in fields.items() if name not in {"v", "kind", "at"})


def _rule(fields: Mapping[str, Any]) -> str:
    """The rule's id without its version."""
    return str(fields.get("rule", "")).partition("@")[0]


def _short(number: str) -> str:
    """The first letters of a run's number, and which batch of it."""
    run, dot, batch = number.partition(".")
    return f"{run[:8]}…{dot}{batch}"


def _value(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {number:,}" for name, number in value.items() if number) or "nothing"
    return str(value)
