"""`retentiond request`: what data subjects demand, by when they are to be answered, and what to tell them."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from retentiond.audit import read_log
from retentiond.cli.registering import By, hand_on, known_store, person_of, waiting
from retentiond.cli.session import moment_of, settings_of
from retentiond.cli.state import registers_of
from retentiond.cli.terminal import note, say, say_json
from retentiond.daemon.clock import utc_now
from retentiond.engine.answering import Answer
from retentiond.engine.answering import answer as answer_of
from retentiond.engine.evidence import existing_store, log_place, open_store_of
from retentiond.engine.requesting import (
    answer_due,
    answer_request,
    decide_request,
    gone_by,
    lift_request,
    open_request,
    request_of,
    rules_reached,
    zones,
)
from retentiond.engine.workplace import Workplace, read_workplace
from retentiond.errors import ConfigurationError, StateError
from retentiond.model.request import RequestKind, RequestState
from retentiond.report.answer import answer_json, answer_text
from retentiond.report.phrases import Lang
from retentiond.report.requests import RequestsJson, in_order, request_json, requests_text
from retentiond.report.shown import moment
from retentiond.settings import Settings
from retentiond.store import Store

Id = Annotated[str, typer.Argument(metavar="ID", help="The request, as `request list` names it.")]

request = typer.Typer(no_args_is_help=True, help="What data subjects demand.")


@request.command("open")
def open_(
    context: typer.Context,
    kind: Annotated[RequestKind, typer.Argument(metavar="KIND", help="What is demanded.")],
    person: Annotated[list[str], typer.Option("--person", metavar="KIND:IDENTIFIER", help="Whom it is about.")],
    received: Annotated[str, typer.Option("--received", metavar="WHEN", help="When it came: a day, or a time with its zone.")],
    case: Annotated[str, typer.Option("--case", metavar="REFERENCE", help="Where it is on file; no name.")],
    by: By,
    rule: Annotated[list[str] | None, typer.Option("--rule", metavar="RULE", help="Only this rule; else all.")] = None,
) -> None:
    """Record a request. From then on its records are blocked, kept or due, as its kind says."""
    settings = settings_of(context)
    workplace = read_workplace(settings)
    now = utc_now()
    persons = [person_of(text) for text in person]
    among = zones(workplace)
    received_at = _received(received, min(among), now)
    with open_store_of(settings) as store:
        made = open_request(workplace, store, kind, persons, received_at, case, by, rule or [], now, waiting)
    hand_on(settings, now)
    if not rules_reached(workplace, made, now):
        note("No rule brings anything about for it: look at the basis and at `ended_by` of the rules. The deadline runs.")
    told = [f"Request {made.request} ({made.kind}) is recorded; it is {made.state}."]
    if (due := answer_due(made, among)) is not None:
        told.append(f"Answer it before {moment(due, min(among))}.")
    if (gone := gone_by(made, among)) is not None:
        told.append(f"What it brings about is to be done before {moment(gone, min(among))}.")
    say([*told, f"What becomes of the records: `retentiond request show {made.request}`."])


@request.command("list")
def list_(
    context: typer.Context, json: Annotated[bool, typer.Option("--json", help="Write JSON instead of text.")] = False
) -> None:
    """List all requests with their deadlines. Those to be answered come first, the most urgent on top."""
    settings = settings_of(context)
    among, now = zones(read_workplace(settings)), utc_now()
    with existing_store(settings) as store:
        requests = store.requests() if store else []
    if json:
        shape: RequestsJson = {"requests": [request_json(one, among, now) for one in in_order(requests, among)]}
        say_json(shape)
    else:
        say(requests_text(requests, among, now))


@request.command("show")
def show(
    context: typer.Context,
    name: Id,
    lang: Annotated[Lang, typer.Option("--lang", help="The language of the answer.")] = Lang.EN,
    json: Annotated[bool, typer.Option("--json", help="Write JSON instead of text.")] = False,
) -> None:
    """Tell what a request came to. What is gone, what stays and why, when it goes, and whom else to tell."""
    settings = settings_of(context)
    workplace = read_workplace(settings)
    with known_store(settings, "requests") as store:
        answer = _answer(settings, workplace, store, name, utc_now())
    if json:
        say_json(answer_json(answer, lang))
    else:
        say(answer_text(answer, lang))
    raise typer.Exit(1 if answer.unreadable else 0)


@request.command("grant")
def grant(context: typer.Context, name: Id, by: By) -> None:
    """Grant a request that is open. The next run does what it demands, as far as no duty or hold is in the way."""
    _decide(context, name, RequestState.GRANTED, by)


@request.command("refuse")
def refuse(context: typer.Context, name: Id, by: By) -> None:
    """Refuse a request that is open. It has no effect any more; the person has to be told why."""
    _decide(context, name, RequestState.REFUSED, by)


@request.command("lift")
def lift(context: typer.Context, name: Id, by: By) -> None:
    """End what a request brings about. The person took it back, or a restriction is over; tell the person before."""
    settings, now = settings_of(context), utc_now()
    with known_store(settings, "requests") as store:
        lift_request(store, name, by, now, waiting)
    hand_on(settings, now)
    say([f"Request {name} has no effect any more. What was blocked for it stays so until `retentiond unblock`."])


@request.command("answered")
def answered(context: typer.Context, name: Id, by: By) -> None:
    """Record that the person was answered. Records that come later are no longer concerned."""
    settings, now = settings_of(context), utc_now()
    with known_store(settings, "requests") as store:
        answer_request(store, name, by, now, waiting)
    hand_on(settings, now)
    say([f"Request {name} is answered."])


def _decide(context: typer.Context, name: str, state: RequestState, by: str) -> None:
    settings, now = settings_of(context), utc_now()
    among = zones(read_workplace(settings))
    with known_store(settings, "requests") as store:
        made = decide_request(store, name, state, by, now, waiting)
    hand_on(settings, now)
    told = [f"Request {name} is {made.state}."]
    if (gone := gone_by(made, among)) is not None:
        told.append(f"What it brings about is to be done before {moment(gone, min(among))}.")
    say(told)


def _answer(settings: Settings, workplace: Workplace, store: Store, name: str, now: datetime) -> Answer:
    request = request_of(store, name)
    registers = registers_of(settings, workplace)
    try:
        with read_log(log_place(settings)) as log:
            return answer_of(workplace, store, registers, log, request, now)
    except StateError:
        note("The deletion log cannot be read, so that nothing is told of what was deleted.")
        return answer_of(workplace, store, registers, None, request, now)


def _received(text: str, zone: str, now: datetime) -> datetime:
    """When the request came. Of a day alone its end counts, or now where that is not over: so all of the day's records do."""
    if len(text) == len("2027-01-01"):
        try:
            midnight = datetime.combine(date.fromisoformat(text), time(), ZoneInfo(zone))
            beginning, end = moment_of(midnight.isoformat(), now), midnight + timedelta(days=1, microseconds=-1)
            return beginning if beginning > now else min(now, moment_of(end.isoformat(), now))
        except (ValueError, OverflowError):
            raise ConfigurationError("The day after --received is none. Write it as 2027-01-31. Nothing was recorded.") from None
    return moment_of(text, now, "--received")
