"""Records that wait for a person's decision, and attestations, as lists. No key of a record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TypedDict

from rich.console import RenderableType

from retentiond.model.bound import Review
from retentiond.model.due import Start, end_of
from retentiond.model.period import Counted, Term
from retentiond.model.policy import Attested
from retentiond.report.layout import table
from retentiond.report.shown import moment, shown, stamp
from retentiond.store import Attestation, AttestationResult, ReviewItem

Reviewing = Mapping[str, tuple[Review, str]]
"""By rule, what its review says, and in which zone its days are counted."""


class ReviewJson(TypedDict):
    """One record that waits, or about which was decided."""

    review: str
    rule: str
    system: str
    dataset: str
    owner: str
    due_at: str
    waiting: bool
    blocks_at: str | None
    goes_at: str | None
    word: str | None
    until: str | None
    by: str | None
    second_by: str | None
    proposed_by: str | None
    proposed_until: str | None


class ReviewsJson(TypedDict):
    """What `review list --json` writes."""

    reviews: list[ReviewJson]


class AttestationJson(TypedDict):
    """One thing that has to be attested, and the newest evidence of it."""

    rule: str
    system: str
    expect: dict[str, str]
    result: str | None
    reference: str | None
    by: str | None
    at: str | None
    expires: str | None
    document: str | None
    good: bool


class AttestationsJson(TypedDict):
    """What `attest --list --json` writes."""

    attestations: list[AttestationJson]


def reviews_json(items: Sequence[ReviewItem], reviewing: Reviewing) -> ReviewsJson:
    """The list for a program."""
    return {"reviews": [_review_json(item, reviewing) for item in items]}


def reviews_text(items: Sequence[ReviewItem], reviewing: Reviewing) -> Iterator[RenderableType]:
    """The list for a person, the longest due first."""
    if not items:
        yield "Nothing waits for a decision."
        return
    grid = table("review", "rule", "owner", "due since", "blocked from", "goes from", "proposed by")
    for item in items:
        blocks, goes = without_decision(item, reviewing)
        zone = reviewing[item.rule][1] if item.rule in reviewing else "UTC"
        grid.add_row(
            item.id,
            shown(item.rule),
            shown(item.owner),
            moment(item.due_at, zone),
            moment(blocks, zone) if blocks else "-",
            moment(goes, zone) if goes else "-",
            shown(item.proposed_by) if item.proposed_by else "-",
        )
    yield grid


def without_decision(item: ReviewItem, reviewing: Reviewing) -> tuple[datetime | None, datetime | None]:
    """From when the record is blocked, and goes, if nobody decides; None where it simply waits."""
    review, zone = reviewing.get(item.rule, (None, "UTC"))
    if not item.waiting or review is None or review.no_decision is None:
        return None, None
    start, fallback = Start(item.due_at), review.no_decision
    return (
        end_of(start, Term(fallback.block, Counted.EXACT), zone),
        end_of(start, Term(fallback.delete, Counted.EXACT), zone),
    )


def attestations_json(asked: Mapping[str, Attested], made: Sequence[Attestation], now: datetime) -> AttestationsJson:
    """What has to be attested, for a program."""
    newest = {one.rule: one for one in made}
    return {"attestations": [_attestation_json(one, newest.get(name), now) for name, one in sorted(asked.items())]}


def attestations_text(asked: Mapping[str, Attested], made: Sequence[Attestation], now: datetime) -> Iterator[RenderableType]:
    """What has to be attested, for a person."""
    if not asked:
        yield "No policy asks for an attestation."
        return
    newest = {one.rule: one for one in made}
    grid = table("rule", "system", "every", "newest", "good until", "by", "reference")
    for name, one in sorted(asked.items()):
        last = newest.get(name)
        until = "-" if last is None else moment(last.expires) + (" EXPIRED" if last.expires <= now else "")
        result, by, reference = (last.result.value, shown(last.by), shown(last.reference)) if last else ("MISSING", "-", "-")
        grid.add_row(shown(name), shown(one.system), str(one.every), result, until, by, reference)
    yield grid


def _review_json(item: ReviewItem, reviewing: Reviewing) -> ReviewJson:
    blocks, goes = without_decision(item, reviewing)
    decision, proposal = item.decision, item.proposal
    return {
        "review": item.id,
        "rule": item.rule,
        "system": item.target.system,
        "dataset": item.target.dataset,
        "owner": item.owner,
        "due_at": stamp(item.due_at),
        "waiting": item.waiting,
        "blocks_at": stamp(blocks) if blocks else None,
        "goes_at": stamp(goes) if goes else None,
        "word": decision.word.value if decision else None,
        "until": stamp(decision.until) if decision and decision.until else None,
        "by": item.by,
        "second_by": item.second_by,
        "proposed_by": item.proposed_by,
        "proposed_until": stamp(proposal.until) if proposal and proposal.until else None,
    }


def _attestation_json(one: Attested, last: Attestation | None, now: datetime) -> AttestationJson:
    return {
        "rule": one.id,
        "system": one.system,
        "expect": dict(one.expect),
        "result": last.result.value if last else None,
        "reference": last.reference if last else None,
        "by": last.by if last else None,
        "at": stamp(last.at) if last else None,
        "expires": stamp(last.expires) if last else None,
        "document": last.document if last else None,
        "good": last is not None and last.result is AttestationResult.MET and last.expires > now,
    }
