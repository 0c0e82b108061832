"""`retentiond review`: records about which a person has to decide."""

from __future__ import annotations

from typing import Annotated

import typer

from retentiond.cli.registering import By, hand_on, waiting
from retentiond.cli.session import moment_of, settings_of
from retentiond.cli.terminal import say, say_json
from retentiond.daemon.clock import utc_now
from retentiond.engine.duties import REMIND_AFTER
from retentiond.engine.evidence import existing_store, open_store_of
from retentiond.engine.reviewing import decide_review
from retentiond.engine.workplace import Workplace, read_workplace
from retentiond.model.circumstances import ReviewWord
from retentiond.report.reviews import Reviewing, reviews_json, reviews_text
from retentiond.report.shown import moment

review = typer.Typer(no_args_is_help=True, help="Records about which a person has to decide.")


@review.command("list")
def list_(
    context: typer.Context,
    overdue: Annotated[bool, typer.Option("--overdue", help="Only those that wait for more than 30 days.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Write JSON instead of text.")] = False,
) -> None:
    """List what waits for a decision. Since when, and what becomes of it without one."""
    settings, now = settings_of(context), utc_now()
    workplace = read_workplace(settings)
    with existing_store(settings) as store:
        items = [one for one in store.reviews() if one.waiting] if store else []
    shown = [one for one in items if not overdue or now - one.due_at > REMIND_AFTER]
    if json:
        say_json(reviews_json(shown, _reviewing(workplace.at(now))))
    else:
        say(reviews_text(shown, _reviewing(workplace.at(now))))


@review.command("decide")
def decide(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="ID", help="The review, as `review list` names it.")],
    word: Annotated[ReviewWord, typer.Argument(metavar="WORD", help="keep, block or delete.")],
    by: By,
    until: Annotated[
        str | None, typer.Option("--until", metavar="WHEN", help="For keep: when to review it again; at most one period ahead.")
    ] = None,
    reason: Annotated[
        str | None, typer.Option("--reason", metavar="REFERENCE", help="For keep: where the reason is on file; no name.")
    ] = None,
) -> None:
    """Decide about one record. To keep it may need the same word of a second person."""
    settings, now = settings_of(context), utc_now()
    workplace = read_workplace(settings)
    again = moment_of(until, now, "--until") if until is not None else None
    with open_store_of(settings) as store:
        done = decide_review(workplace, store, name, word, by, now, until=again, reason=reason, waiting=waiting)
    hand_on(settings, now)
    if not done.settled:
        say([f"Proposed. It counts once somebody else says the same: `retentiond review decide {name} keep --by STAFF-ID`."])
        return
    decision = done.item.decision
    say([f"Decided: {word}" + (f" until {moment(decision.until)}." if decision and decision.until else ".")])


def _reviewing(workplace: Workplace) -> Reviewing:
    return {one.rule.id: (one.rule.review_after, one.zone) for one in workplace.assignments if one.rule.review_after is not None}
