"""What persons decide about records that are up for review, and what they attest about data that no connector reaches."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from retentiond.engine.approval import staff_id
from retentiond.engine.holding import reference
from retentiond.engine.requesting import Waiting, nobody_waits
from retentiond.engine.workplace import Workplace
from retentiond.errors import ConfigurationError
from retentiond.model.bound import Review
from retentiond.model.circumstances import ReviewDecision, ReviewWord
from retentiond.model.due import Start, as_instant, end_of, later_by
from retentiond.model.policy import Attested
from retentiond.policy.load import in_force
from retentiond.store import Attestation, AttestationResult, Entry, ReviewItem, Store


@dataclass(frozen=True, slots=True)
class Reviewed:
    """What came of a person's word about a record."""

    item: ReviewItem
    settled: bool
    """False where it is a proposal, which a second person has to confirm."""


def decide_review(
    workplace: Workplace,
    store: Store,
    review: str,
    word: ReviewWord,
    by: str,
    now: datetime,
    *,
    until: datetime | None = None,
    reason: str | None = None,
    waiting: Waiting = nobody_waits,
) -> Reviewed:
    """Decide about one record. To keep it needs a reason, a new date, and a second person where the rule asks for one.

    `reason` is a reference to a file, `by` a staff id. Raises `ConfigurationError` for an unknown review, one that waits for
    nothing, a new date that is over or too far ahead, and a second word of the same person; then nothing was changed.
    """
    by = staff_id(by)
    with store.changing(waiting):
        item = _item(store, review)
        rule_review, zone = _rule_review(workplace, item, now)
        if word is not ReviewWord.KEEP:
            if until is not None:
                raise ConfigurationError("A new date is for a record that is kept; leave out `--until`. Nothing was changed.")
            decision = ReviewDecision(word, now, None, reference(reason) if reason else review)
        else:
            if item.proposal is not None:  # whoever gives the second word need not repeat the first
                until, reason = until or item.proposal.until, reason or item.proposal.reference
            decision = _kept(rule_review, zone, until, reason, now)
        entry = _entry(store, item, word.value, by, now)
        if word is not ReviewWord.KEEP or not rule_review.four_eyes:
            store.decide_review(review, decision, by, None, entry)
            return Reviewed(_item_of(store, review), settled=True)
        if item.proposed_by == by:
            raise ConfigurationError(
                f"{by} proposed this already; somebody else has to give the second word. Nothing was changed."
            )
        if item.proposal is None or item.proposed_by is None or not _same(item.proposal, decision):
            proposed = _entry(store, item, "keep-proposed", by, now)
            store.propose_review(review, decision, by, proposed)
            return Reviewed(_item_of(store, review), settled=False)
        store.decide_review(review, decision, item.proposed_by, by, entry)
        return Reviewed(_item_of(store, review), settled=True)


def attest(
    workplace: Workplace,
    store: Store,
    rule: str,
    result: AttestationResult,
    case: str,
    by: str,
    now: datetime,
    *,
    at: date | None = None,
    document: Path | None = None,
) -> Attestation:
    """Record evidence about data that no connector reaches; it is good for as long as its rule says.

    `at` is the day on which it was so, where that is not now: it is good from the beginning of that day in the policy's zone.
    Of a `document` the digest alone is kept. Raises `ConfigurationError` where no policy asks for an attestation of that name,
    the day is to come, or the document cannot be read; then nothing was recorded.
    """
    by, case = staff_id(by), reference(case)
    asked = attested(workplace, now)
    if rule not in asked:
        known = ", ".join(sorted(asked)) or "none"
        raise ConfigurationError(f"No policy asks for an attestation {rule}; there are: {known}. Nothing was recorded.")
    expectation, zone = asked[rule]
    since = now if at is None else as_instant(at, zone)
    if since > now:
        raise ConfigurationError("The day after --at is yet to come, and what comes nobody can confirm. Nothing was recorded.")
    expires = later_by(since, expectation.every, zone)
    digest = None if document is None else document_digest(document)
    made = Attestation(rule, result, case, by, since, expires if isinstance(expires, datetime) else now, digest)
    fields = {
        "subject": f"attestation {rule}",
        "digest": store.attestation_mark(made),
        "decision": result.value,
        "by": by,
    }
    store.attest(made, Entry("approval", now, fields if digest is None else {**fields, "document": digest}))
    return made


def document_digest(file: Path) -> str:
    """SHA-256 (hex) of a document that stays where it is; raises `ConfigurationError` where it cannot be read, or is empty."""
    try:
        with file.open("rb") as opened:
            if not file.is_file() or os.fstat(opened.fileno()).st_size == 0:
                raise ConfigurationError("The document after --document is no file, or is empty. Nothing was recorded.")
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError as error:
        raise ConfigurationError(
            f"The document after --document cannot be read ({type(error).__name__}). Nothing was recorded."
        ) from None


def attested(workplace: Workplace, now: datetime) -> dict[str, tuple[Attested, str]]:
    """What has to be attested by the policies that count at `now`, by name, each with the zone of its policy."""
    counting = in_force(workplace.policies, now)
    return {one.id: (one, loaded.policy.zone) for loaded in counting for one in loaded.policy.attestations}


def _kept(review: Review, zone: str, until: datetime | None, reason: str | None, now: datetime) -> ReviewDecision:
    if until is None or reason is None:
        raise ConfigurationError(
            "To keep a record needs a reason and a date for the next review: `--reason REFERENCE --until DAY`. "
            "Nothing was changed."
        )
    if until <= now:
        raise ConfigurationError("The date for the next review is over already. Nothing was changed.")
    latest = end_of(Start(now), review.term, zone)
    if until > latest:
        raise ConfigurationError(
            f"The date for the next review is later than one more period of the rule from now, {latest:%Y-%m-%d}. "
            f"Nothing was changed."
        )
    return ReviewDecision(ReviewWord.KEEP, now, until, reference(reason))


def _same(proposal: ReviewDecision, decision: ReviewDecision) -> bool:
    return (proposal.word, proposal.until, proposal.reference) == (decision.word, decision.until, decision.reference)


def _rule_review(workplace: Workplace, item: ReviewItem, now: datetime) -> tuple[Review, str]:
    for assignment in workplace.at(now).assignments:
        if assignment.rule.id == item.rule and assignment.rule.review_after is not None:
            return assignment.rule.review_after, assignment.zone
    raise ConfigurationError(f"Rule {item.rule} asks for no review any more; nothing is to be decided. Nothing was changed.")


def _item(store: Store, review: str) -> ReviewItem:
    item = _item_of(store, review)
    if not item.waiting:
        raise ConfigurationError(f"Review {review} is decided already and waits for nothing. Nothing was changed.")
    return item


def _item_of(store: Store, review: str) -> ReviewItem:
    for item in store.reviews():
        if item.id == review:
            return item
    raise ConfigurationError(f"There is no review {review}; `retentiond review list` tells which there are.")


def _entry(store: Store, item: ReviewItem, decision: str, by: str, now: datetime) -> Entry:
    digest = store.review_mark(item)
    return Entry("approval", now, {"subject": f"review {item.rule}", "digest": digest, "decision": decision, "by": by})
