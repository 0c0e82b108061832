"""Records about which a person has to decide, and what was decided. Their keys are sealed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from retentiond.errors import StateError
from retentiond.model.circumstances import ReviewDecision, ReviewWord
from retentiond.model.record import Target
from retentiond.store.outbox import Entry, insert_entry
from retentiond.store.part import Part
from retentiond.store.tables import reviews
from retentiond.store.values import ReviewItem

_ID_LENGTH = 20
"""Hexadecimal digits of a mark that make a review's id: among millions no two are alike, and they can be typed."""


class Reviews(Part):
    """The part of the store that knows what is up for review."""

    def note_reviews(
        self, rule: str, target: Target, found: Sequence[tuple[tuple[str, ...], datetime]], owner: str, at: datetime
    ) -> None:
        """Note the records of a rule that wait for a decision, each since when; what was decided or proposed stays."""
        with self._transaction() as connection:
            for key, due in found:
                review = self._review_id(rule, target, key)
                known = sa.update(reviews).where(reviews.c.review == review).values(due_at=due, owner=owner)
                if connection.execute(known).rowcount:
                    continue
                sealed = self._seal.seal(json.dumps(key).encode(), f"review {review}")
                connection.execute(
                    sa.insert(reviews).values(
                        review=review,
                        rule=rule,
                        system=target.system,
                        dataset=target.dataset,
                        key=sealed,
                        owner=owner,
                        due_at=due,
                        noted_at=at,
                    )
                )

    def reviews(self) -> list[ReviewItem]:
        """All of them, decided ones included, the longest due first; raises `StateError` where one cannot be opened."""
        with self._transaction() as connection:
            rows = connection.execute(sa.select(reviews).order_by(reviews.c.due_at, reviews.c.review)).mappings().all()
        return [self._item(row) for row in rows]

    def propose_review(self, review: str, decision: ReviewDecision, by: str, entry: Entry | None = None) -> None:
        """Keep what a first person proposes, in place of an earlier proposal."""
        self._set_review(review, _proposal(decision, by), entry)

    def decide_review(
        self, review: str, decision: ReviewDecision, by: str, second_by: str | None, entry: Entry | None = None
    ) -> None:
        """Keep a decision, in place of an earlier one; what was proposed is settled by it."""
        decided = {
            "word": decision.word.value,
            "decided_at": decision.at,
            "until": decision.until,
            "reference": decision.reference,
            "by": by,
            "second_by": second_by,
        }
        self._set_review(review, decided | _proposal(None, None), entry)

    def review_words(self, rule: str) -> dict[tuple[str, ...], ReviewDecision]:
        """The newest decision about each record of the rule that has one."""
        wanted = sa.select(reviews).where(reviews.c.rule == rule, reviews.c.word.is_not(None))
        with self._transaction() as connection:
            rows = connection.execute(wanted).mappings().all()
        items = [self._item(row) for row in rows]
        return {item.key: item.decision for item in items if item.decision is not None}

    def close_reviews(self, rule: str, keys: Iterable[tuple[str, ...]]) -> int:
        """Forget the items of records that are no longer there; how many those were."""
        closed = 0
        with self._transaction() as connection:
            places = connection.execute(
                sa.select(reviews.c.system, reviews.c.dataset).where(reviews.c.rule == rule).distinct()
            ).all()
            for key in keys:
                named = [self._review_id(rule, Target(*place), key) for place in places]
                closed += connection.execute(sa.delete(reviews).where(reviews.c.review.in_(named))).rowcount
        return closed

    def review_mark(self, item: ReviewItem) -> str:
        """What stands for a review in the deletion log (hex)."""
        return self._seal.mark("reviewed", item.id).hex()

    def _set_review(self, review: str, values: dict[str, Any], entry: Entry | None) -> None:
        with self._transaction() as connection:
            if connection.execute(sa.update(reviews).where(reviews.c.review == review).values(**values)).rowcount != 1:
                raise StateError(f"The state database knows no review {review}; was it restored or exchanged meanwhile?")
            insert_entry(connection, entry)

    def _review_id(self, rule: str, target: Target, key: tuple[str, ...]) -> str:
        return self._seal.mark("review", rule, target.system, target.dataset, *key).hex()[:_ID_LENGTH]

    def _item(self, row: sa.RowMapping) -> ReviewItem:
        opened = self._seal.open(bytes(row["key"]), f"review {row['review']}")
        try:
            return ReviewItem(
                id=row["review"],
                rule=row["rule"],
                target=Target(row["system"], row["dataset"]),
                key=tuple(json.loads(opened)),
                owner=row["owner"],
                due_at=row["due_at"],
                noted_at=row["noted_at"],
                decision=_decision(row["word"], row["decided_at"], row["until"], row["reference"]),
                by=row["by"],
                second_by=row["second_by"],
                proposal=_decision(row["proposed_word"], row["proposed_at"], row["proposed_until"], row["proposed_reference"]),
                proposed_by=row["proposed_by"],
            )
        except (ValueError, TypeError):
            raise StateError("A review in the state database cannot be read. Restore the database from a backup.") from None


def _proposal(decision: ReviewDecision | None, by: str | None) -> dict[str, Any]:
    return {
        "proposed_word": decision and decision.word.value,
        "proposed_at": decision and decision.at,
        "proposed_until": decision and decision.until,
        "proposed_reference": decision and decision.reference,
        "proposed_by": by,
    }


def _decision(word: str | None, at: datetime, until: datetime | None, reference: str) -> ReviewDecision | None:
    return None if word is None else ReviewDecision(ReviewWord(word), at, until, reference)
