"""What a data subject demands, or what else ends a purpose for one person, and what it does to a record."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from retentiond.model.due import Start, end_of
from retentiond.model.period import Counted, RetentionPeriod, Term
from retentiond.model.subject import Subject

ANSWER_WITHIN = Term(RetentionPeriod(months=1), Counted.DAY_END_WORKDAY)
"""One month, ending on a working day (Art. 12(3) GDPR, Art. 3 Regulation (EEC, Euratom) No 1182/71)."""

DONE_WITHIN = Term(RetentionPeriod(days=7), Counted.DAY_END)
"""By when a deletion that a request brought about is to be done, where no duty is in the way."""


class RequestKind(StrEnum):
    """What is demanded, or what happened."""

    ERASURE = "erasure"
    """Art. 17 GDPR. Blocks while it is open; ends every purpose once it is granted."""
    OBJECTION = "objection"
    """Art. 21(1) GDPR, against what rests on legitimate interests. Blocks and holds while open; ends the purpose if granted."""
    OBJECTION_TO_MARKETING = "objection-to-marketing"
    """Art. 21(2), (3) GDPR. Nothing is weighed: it ends the purpose at once."""
    CONSENT_WITHDRAWN = "consent-withdrawn"
    """Art. 7(3) GDPR. Ends at once whatever rests on consent."""
    RESTRICTION = "restriction"
    """Art. 18 GDPR. Blocks, and lets nothing go, until it is lifted."""
    PURPOSE_ENDED = "purpose-ended"
    """The purpose is over for this person, as the controller found. Ends at once what the rule says it ends."""
    ACCESS = "access"
    """Art. 15, 20 GDPR. Lets nothing of the person go until it is answered."""


class RequestState(StrEnum):
    """How far a request is."""

    OPEN = "open"
    GRANTED = "granted"
    REFUSED = "refused"
    """Also: lifted, withdrawn or answered, so that it has no effect any more."""


AT_ONCE = (RequestKind.OBJECTION_TO_MARKETING, RequestKind.CONSENT_WITHDRAWN, RequestKind.PURPOSE_ENDED)
"""Nothing is to be decided about these: they count as granted from the beginning."""

DEMANDABLE_BY_RULE = (RequestKind.OBJECTION_TO_MARKETING, RequestKind.PURPOSE_ENDED)
"""What ends the purpose of a rule only where the rule says so in `ended_by`."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it was received."""

    request: str
    """Its id."""
    kind: RequestKind
    persons: frozenset[Subject] = field(repr=False)
    """The identifiers by which the person's records are found: each record that has one of them."""
    received_at: datetime
    """UTC; the moment that counts."""
    state: RequestState
    by: str
    """The staff id of whoever recorded it."""
    case: str
    """A reference to the file; no name."""
    decided_at: datetime | None = None
    decided_by: str | None = None
    answered_at: datetime | None = None
    rules: frozenset[str] | None = None
    """The rules it is about; None for all."""

    def answer_due(self, zone: str) -> datetime:
        """From when the answer is overdue (UTC)."""
        return end_of(Start(self.received_at), ANSWER_WITHIN, zone)


@dataclass(frozen=True, slots=True)
class Effect:
    """What a request does to a record under a rule."""

    ends: bool = False
    """The purpose ended when it was received."""
    blocks: bool = False
    """The record is to be blocked from when it was received."""
    suspends: bool = False
    """Nothing may go while it is so."""


NO_EFFECT = Effect()


def effect(kind: RequestKind, state: RequestState, lawful: frozenset[str], ended_by: Iterable[RequestKind]) -> Effect:
    """Return what a request does under a rule that rests on the letters `lawful` of Art. 6(1) GDPR."""
    if state is RequestState.REFUSED:
        return NO_EFFECT
    granted = state is RequestState.GRANTED
    match kind:
        case RequestKind.ERASURE:
            return Effect(ends=granted, blocks=True)
        case RequestKind.OBJECTION:
            return Effect(ends=granted, blocks=True, suspends=not granted) if "f" in lawful else NO_EFFECT
        case RequestKind.CONSENT_WITHDRAWN:
            return Effect(ends=True, blocks=True) if "a" in lawful else NO_EFFECT
        case RequestKind.OBJECTION_TO_MARKETING | RequestKind.PURPOSE_ENDED:
            return Effect(ends=True, blocks=True) if kind in ended_by else NO_EFFECT
        case RequestKind.RESTRICTION:
            return Effect(blocks=True, suspends=True)
        case RequestKind.ACCESS:
            return NO_EFFECT if granted else Effect(suspends=True)


_LAWFUL = re.compile(r"Art\. 6\(1\)((?:\([a-f]\)/?)+)")


def lawful_letters(basis: Iterable[str]) -> frozenset[str]:
    """Return the letters of Art. 6(1) GDPR that `basis` names, such as those of `Art. 6(1)(b)/(f) GDPR`."""
    return frozenset(letter for line in basis for group in _LAWFUL.findall(line) for letter in re.findall("[a-f]", group))


def closed_at(request: Request) -> datetime | None:
    """Return from when on (UTC) nobody has to do anything about a request any more, and forgetting it sets nothing free.

    That is when the person was answered. None before that, and as long as the request keeps something from going.
    """
    if request.state is RequestState.OPEN or (request.kind, request.state) == (RequestKind.RESTRICTION, RequestState.GRANTED):
        return None
    if request.answered_at is None or request.decided_at is None:
        return request.answered_at
    return max(request.answered_at, request.decided_at)
