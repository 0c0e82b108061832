"""`retentiond hold`: keeps records from going, for a claim, an incident, an audit, an order or a fault."""

from __future__ import annotations

from typing import Annotated

import typer

from retentiond.cli.registering import By, day_of, hand_on, known_store, person_of, waiting
from retentiond.cli.session import settings_of, target_of
from retentiond.cli.terminal import note, say, say_json
from retentiond.daemon.clock import utc_now
from retentiond.engine import holding
from retentiond.engine.evidence import existing_store, open_store_of
from retentiond.engine.workplace import Workplace, read_workplace
from retentiond.errors import ConfigurationError
from retentiond.model.hold import HoldKind, Scope
from retentiond.report.holds import holds_json, holds_text
from retentiond.report.shown import moment, shown

Id = Annotated[str, typer.Argument(metavar="ID", help="The hold, as `hold list` names it.")]

hold = typer.Typer(no_args_is_help=True, help="Keep records from being deleted or anonymized.")


@hold.command("place")
def place(
    context: typer.Context,
    kind: Annotated[HoldKind, typer.Argument(metavar="KIND", help="Why: legal-claim, incident, tax-audit, …")],
    reason: Annotated[str, typer.Option("--reason", metavar="REFERENCE", help="Where it is on file; no name.")],
    owner: Annotated[str, typer.Option("--owner", metavar="STAFF-ID", help="Who has to review it.")],
    by: By,
    system: Annotated[str | None, typer.Option("--system", metavar="SYSTEM", help="Only in this system.")] = None,
    dataset: Annotated[str | None, typer.Option("--dataset", metavar="SYSTEM/DATASET", help="Only in this data set.")] = None,
    rule: Annotated[str | None, typer.Option("--rule", metavar="RULE", help="Only what this rule governs.")] = None,
    record: Annotated[
        tuple[str, str] | None, typer.Option("--record", metavar="SYSTEM/DATASET KEY", help="Only this record.")
    ] = None,
    person: Annotated[str | None, typer.Option("--person", metavar="KIND:IDENTIFIER", help="Only this person's.")] = None,
    where: Annotated[str | None, typer.Option("--where", metavar="FACT=VALUE", help="Only where this fact is so.")] = None,
    dated: Annotated[str | None, typer.Option("--dated", metavar="DATE", help="Only by this date of a record.")] = None,
    since: Annotated[str | None, typer.Option("--since", metavar="DAY", help="With --dated: from this day on.")] = None,
    until: Annotated[str | None, typer.Option("--until", metavar="DAY", help="With --dated: up to and with this day.")] = None,
    review: Annotated[str | None, typer.Option("--review", metavar="DAY", help="When to look at it again.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Write JSON instead of text.")] = False,
) -> None:
    """Place a hold. Once the command ends nothing goes any more that fits everything that is given."""
    settings = settings_of(context)
    workplace = read_workplace(settings)
    now = utc_now()
    places = {target_of(text) for text in (dataset, record[0] if record else None) if text is not None}
    systems = {one.system for one in places} | ({system} if system is not None else set())
    if len(places) > 1 or len(systems) > 1:
        raise ConfigurationError("A record lies in one data set of one system; name the same one. Nothing was done.")
    scope = Scope(
        system=next(iter(systems), None),
        dataset=next((one.dataset for one in places), None),
        rule=rule,
        key=_key(workplace, *record) if record else None,
        person=None if person is None else person_of(person),
        fact=None if where is None else _fact(where),
        date_name=dated,
        since=None if since is None else day_of(since, "--since"),
        until=None if until is None else day_of(until, "--until"),
    )
    with open_store_of(settings) as store:
        placed = holding.place(
            workplace,
            store,
            kind,
            scope,
            reason=reason,
            owner=owner,
            by=by,
            now=now,
            review_on=None if review is None else day_of(review, "--review"),
            waiting=waiting,
        )
    hand_on(settings, now)
    for deaf in placed.deaf:
        note(f"Rule {deaf} lies in its scope and is not stopped by a hold of the kind {kind}.")
    for target in placed.unreadable:
        note(f"{target} cannot be read now, so nobody looked for the person there; the hold counts there all the same.")
    for target in placed.unknowing:
        note(f"{target} knows no such kind of identifier, so the person's records there are not held; hold them otherwise, too.")
    if json:
        say_json(holds_json([placed.hold], now))
        return
    ends = f" It ends by itself {moment(placed.hold.expires)}." if placed.hold.expires else ""
    say([f"Hold {placed.hold.hold} ({kind}) stands. Review it by {placed.hold.review_on}.{ends}"])


@hold.command("list")
def list_(
    context: typer.Context,
    everything: Annotated[bool, typer.Option("--all", help="Also those that are over.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Write JSON instead of text.")] = False,
) -> None:
    """List the holds that stand. Those whose review is over come first; names no record and no person."""
    settings, now = settings_of(context), utc_now()
    with existing_store(settings) as store:
        holds = [one for one in (store.holds() if store else []) if everything or holding.stands(one, now)]
    if json:
        say_json(holds_json(holds, now))
    else:
        say(holds_text(holds, now))


@hold.command("lift")
def lift(
    context: typer.Context,
    name: Id,
    by: By,
    lost: Annotated[
        bool, typer.Option("--lost", help="The store lost it and only the log tells of it: close it there, so that runs go on.")
    ] = False,
) -> None:
    """Lift a hold. What it kept is decided anew by the next run."""
    settings, now = settings_of(context), utc_now()
    workplace = read_workplace(settings)
    with known_store(settings, "holds") as store:
        if lost:
            holding.give_up(workplace, store, name, by, now)
            hand_on(settings, now)
            say([f"The lost hold {shown(name)} is closed in the deletion log."])
            return
        lifted = holding.lift(workplace, store, name, by, now, waiting)
    hand_on(settings, now)
    say([f"Hold {shown(lifted.hold)} is lifted. What it kept goes with the next run where nothing else is in the way."])


@hold.command("renew")
def renew(
    context: typer.Context,
    name: Id,
    review: Annotated[str, typer.Option("--review", metavar="DAY", help="When to look at it again.")],
    by: By,
) -> None:
    """Say that a hold is still needed. That of an incident then lasts 180 days more from today."""
    settings, now = settings_of(context), utc_now()
    workplace = read_workplace(settings)
    with known_store(settings, "holds") as store:
        renewed = holding.renew(workplace, store, name, day_of(review, "--review"), by, now, waiting)
    hand_on(settings, now)
    ends = f" It ends by itself {moment(renewed.expires)}." if renewed.expires else ""
    say([f"Hold {shown(renewed.hold)} stands on. Review it by {renewed.review_on}.{ends}"])


def _key(workplace: Workplace, dataset: str, key: str) -> tuple[str, ...]:
    bound = workplace.targets.get(target_of(dataset))
    if bound is None:
        known = ", ".join(sorted(map(str, workplace.targets)))
        raise ConfigurationError(f"The settings know no data set {shown(dataset)}; known are: {known}. Nothing was done.")
    return bound.connector.key(key)


def _fact(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise ConfigurationError("Write the fact after --where as FACT=VALUE, such as disputed=true. Nothing was done.")
    return name, value
