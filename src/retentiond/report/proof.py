"""What the deletion log proves about one record, and what would go of it by its own rule, for a person and for a program."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypedDict

from rich.console import RenderableType

from retentiond.audit import Prunable
from retentiond.model.record import Target
from retentiond.report.layout import lines
from retentiond.report.log import Trace, TraceJson, trace_json, trace_text
from retentiond.report.shown import shown


class ProvenJson(TypedDict):
    """What `audit prove --json` writes."""

    system: str
    dataset: str
    traces: list[TraceJson]
    size: int
    origin: str
    files: list[str]
    remarks: list[str]


@dataclass(frozen=True, slots=True)
class Proven:
    """What is proven about one record."""

    target: Target
    traces: Sequence[Trace]
    size: int
    """Entries under the checkpoint that the proofs lead to."""
    origin: str
    files: Sequence[str]
    remarks: Sequence[str]
    """Finished sentences on what is not proven."""


def proven_json(found: Proven) -> ProvenJson:
    """What is proven about one record, for a program."""
    return {
        "system": found.target.system,
        "dataset": found.target.dataset,
        "traces": [trace_json(trace) for trace in found.traces],
        "size": found.size,
        "origin": found.origin,
        "files": list(found.files),
        "remarks": list(found.remarks),
    }


def proven_text(found: Proven) -> Iterator[RenderableType]:
    """What is proven about one record, for a person."""
    if not found.traces:
        yield "The deletion log has no entry about a record under this key, so there is nothing to prove."
        yield lines("That is no proof that there was no such record, or that nothing was done to it.")
    for trace in found.traces:
        yield trace_text(trace)
    if found.traces:
        yield lines(f"proven against the checkpoint of {found.size:,} entries of {shown(found.origin)}")
    yield from (lines(shown(file)) for file in found.files)
    yield from (lines(remark) for remark in found.remarks)


class PrunableJson(TypedDict):
    """What `audit prune --json` writes."""

    rule: str
    digest: str
    first: int
    entries: int
    openings: int
    batches: int
    counts: dict[str, int]
    kept: int
    pruned: bool


def prunable_json(rule: str, digest: str, found: Prunable, *, pruned: bool) -> PrunableJson:
    """What goes of the log, for a program."""
    return {
        "rule": rule,
        "digest": digest,
        "first": found.first,
        "entries": found.entries,
        "openings": found.openings,
        "batches": found.batches,
        "counts": dict(found.counts),
        "kept": len(found.kept),
        "pruned": pruned,
    }


def prunable_text(rule: str, digest: str, found: Prunable, *, pruned: bool) -> Iterator[RenderableType]:
    """What goes of the log, for a person."""
    if found.nothing:
        yield f"By rule {shown(rule)}, nothing of the deletion log is due."
        return
    verb = "went" if pruned else "would go"
    yield f"By rule {shown(rule)}, {verb} of the deletion log:"
    kinds = ", ".join(f"{number:,} {shown(kind)}" for kind, number in sorted(found.counts.items()))
    if found.entries > found.first:
        yield lines(
            f"entries {found.first:,} to {found.entries - 1:,}: {kinds or 'none'}; {len(found.kept):,} of them stay, being needed"
        )
    if found.batches:
        yield lines(f"what finds and opens the records of {found.batches:,} batches, those before entry {found.openings:,}")
    yield lines("the hashes stay: proofs that were handed out, and those of all other entries, go on verifying")
    if not pruned:
        yield f"To let it go: retentiond audit prune --plan {digest[:16]} --by STAFF-ID"
