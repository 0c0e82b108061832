"""What persons still have to do, as `status` tells it: counts, and the first date of each."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TypedDict

from retentiond.engine.duties import Duties
from retentiond.report.shown import counted, moment, span, stamp


class DutiesJson(TypedDict):
    """What persons still have to do."""

    requests: int
    next_answer: str | None
    overdue: int
    to_be_gone: int
    reviews: int
    oldest_review: str | None
    attestations: int
    undatable: int
    holds: int
    not_met: list[str]
    drifted: list[str]
    expired: list[str]
    unasked: list[str]
    tasks: int
    late_tasks: int
    unread: list[str]


def duties_json(duties: Duties) -> DutiesJson:
    """The counts for a program."""
    return {
        "requests": duties.requests,
        "next_answer": stamp(duties.next_answer) if duties.next_answer else None,
        "overdue": duties.overdue,
        "to_be_gone": duties.to_be_gone,
        "reviews": duties.reviews,
        "oldest_review": stamp(duties.oldest_review) if duties.oldest_review else None,
        "attestations": duties.attestations,
        "undatable": duties.undatable,
        "holds": duties.holds,
        "not_met": list(duties.not_met),
        "drifted": list(duties.drifted),
        "expired": list(duties.expired),
        "unasked": list(duties.unasked),
        "tasks": duties.tasks,
        "late_tasks": duties.late_tasks,
        "unread": list(duties.unread),
    }


def duties_problems(duties: Duties) -> Iterator[str]:
    """What of it nobody may let lie."""
    if duties.overdue:
        yield f"The answer to {counted(duties.overdue, 'request')} is overdue. Look at `retentiond request list`."
    if duties.to_be_gone:
        yield (
            f"What {counted(duties.to_be_gone, 'request')} brought about should be done by now, and nobody has answered. "
            f"Look at `retentiond request show`."
        )
    for rule in duties.not_met:
        now_and_then = "is no longer" if rule in duties.drifted else "is not"
        yield (
            f"What {rule} attests {now_and_then} as the policy expects. Look at `retentiond attest --list`, and set it right at "
            f"the vendor."
        )
    for rule in duties.expired:
        yield f"The attestation {rule} has expired. Look how it stands, and type `retentiond attest {rule}`."
    for rule in duties.unasked:
        yield f"The vendor's settings for {rule} were not read for 3 days. Look at the last run."
    yield from duties.unread
    if duties.late_tasks:
        yield (
            f"{counted(duties.late_tasks, 'task')} that only a person can do wait for longer than they may. "
            f"Look at `retentiond task list --overdue`."
        )
    if duties.undatable:
        yield (
            f"{counted(duties.undatable, 'record')} have no provable date, the oldest for more than 30 days. "
            f"Look at `retentiond plan` on a terminal, and find out their dates."
        )


def duties_text(duties: Duties, now: datetime) -> Iterator[str]:
    """The counts for a person; nothing where there is nothing to do."""
    if duties.requests:
        due = f", the first answer due by {moment(duties.next_answer)}" if duties.next_answer else ""
        yield f"requests to answer: {duties.requests:,}, overdue {duties.overdue:,}{due}"
    if duties.reviews:
        since = f", the oldest for {span(now - duties.oldest_review)}" if duties.oldest_review else ""
        yield f"records up for review: {duties.reviews:,}{since}"
    if duties.attestations:
        yield f"attestations missing, expired or not met: {duties.attestations:,}"
    if duties.tasks:
        yield f"tasks that wait for their person: {duties.tasks:,}, overdue {duties.late_tasks:,}"
    if duties.undatable:
        yield f"records without a provable date for more than 30 days: {duties.undatable:,}"
    if duties.holds:
        yield f"holds whose review is over: {duties.holds:,}"
