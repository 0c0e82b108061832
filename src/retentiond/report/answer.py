"""What a request came to, in both languages: one table of sentences, so that neither language tells more than the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import TypedDict
from zoneinfo import ZoneInfo

from rich.console import RenderableType

from retentiond.engine.answering import Answer, Fate, Recipient, Told
from retentiond.model.policy import Role
from retentiond.model.request import RequestState
from retentiond.report.layout import lines
from retentiond.report.phrases import Lang, Say, done, kind
from retentiond.report.requests import RequestJson, request_json
from retentiond.report.shown import shown, stamp

_Day = Callable[[datetime], str]

_SENTENCES: Mapping[str, tuple[str, str]] = {
    "head": (
        "Ersuchen {request}: {kind}, eingegangen am {received}, Stand {as_of}",
        "Request {request}: {kind}, received on {received}, as of {as_of}",
    ),
    RequestState.OPEN: ("Darüber ist noch nicht entschieden.", "It is not decided yet."),
    RequestState.GRANTED: ("Ihm wird entsprochen.", "It is granted."),
    RequestState.REFUSED: ("Es ist abgelehnt oder hat sich erledigt.", "It is refused, or settled."),
    "none": ("Es ist kein Datensatz der Person mehr vorhanden.", "No record of the person is there any more."),
    "record": ("{count} × {what} ({target}): {sentence}", "{count} × {what} ({target}): {sentence}"),
    "unnamed": ("Datensatz", "record"),
    Fate.DELETED: ("am {at} gelöscht.", "deleted on {at}."),
    Fate.ANONYMIZED: ("am {at} anonymisiert.", "anonymized on {at}."),
    Fate.VANISHED: ("nicht mehr vorhanden.", "no longer there."),
    Fate.GOES: ("wird ab {at} {done}.", "will be {done} from {at}."),
    "goes_now": ("wird mit dem nächsten Lauf {done}.", "will be {done} by the next run."),
    Fate.DUTY: (
        "bleibt bis {at}, weil eine Pflicht zur Aufbewahrung besteht{basis}; wird dann {done}.",
        "stays until {at}, because there is a duty to keep it{basis}; will then be {done}.",
    ),
    Fate.HELD: (
        "bleibt, weil etwas entgegensteht ({holds}); wird danach {done}.",
        "stays, because something is in the way ({holds}); will be {done} after that.",
    ),
    Fate.UNDATABLE: (
        "bleibt, weil sich nicht sagen lässt, wann seine Zeit um ist; ein Mensch muss ihn ansehen.",
        "stays, because nobody can tell when its time is over; a person has to look at it.",
    ),
    Fate.WAITS: (
        "bleibt, bis ein Ereignis eintritt oder ein Mensch entscheidet; wird danach {done}.",
        "stays until an event comes or a person decides; will be {done} after that.",
    ),
    Fate.STAYS: ("bleibt; keine Regel entfernt ihn.", "stays; no rule lets it go."),
    "blocked": (" Er ist gesperrt.", " It is blocked."),
    "to_block": (" Er wird mit dem nächsten Lauf gesperrt.", " It will be blocked by the next run."),
    "basis": (" ({basis})", " ({basis})"),
    "hold": ("{kind}, offen", "{kind}, open"),
    "hold_until": ("{kind} bis {end}", "{kind} until {end}"),
    "recipients": (
        "Zu unterrichten, weil auch sie solche Daten haben (Art. 19 DSGVO):",
        "To be told, because they hold such data, too (Art. 19 GDPR):",
    ),
    Role.PROCESSOR: ("{holder} ({system}), Auftragsverarbeiter", "{holder} ({system}), processor"),
    Role.CONTROLLER: ("{holder} ({system}), eigener Verantwortlicher", "{holder} ({system}), controller of its own"),
    "unknowing": (
        "Nicht durchsucht, weil dort keine der Kennungen geführt wird: {targets}.",
        "Not searched, because none of the identifiers is kept there: {targets}.",
    ),
    "unreadable": (
        "Nicht erreichbar, die Antwort ist also nicht vollständig: {targets}.",
        "Out of reach, so that the answer is not whole: {targets}.",
    ),
}


class ToldJson(TypedDict):
    """What becomes of records of which the same is to be told."""

    system: str
    dataset: str
    rule: str | None
    data_kind: dict[str, str] | None
    count: int
    fate: str
    at: str | None
    blocked: bool
    to_block: bool
    basis: str | None
    holds: list[str]
    concerned: bool
    sentence: str


class RecipientJson(TypedDict):
    """Somebody else who holds such data."""

    system: str
    holder: str
    role: str


class AnswerJson(TypedDict):
    """What `request show --json` writes."""

    request: RequestJson
    as_of: str
    records: list[ToldJson]
    recipients: list[RecipientJson]
    unknowing: list[str]
    unreadable: list[str]


def answer_text(answer: Answer, lang: Lang) -> Iterator[RenderableType]:
    """The answer for a person: what happened, what stays and why, when it goes, whom to tell. No identifier."""
    say, day = sentences(lang), _days(answer.zone, lang)
    request = answer.request
    received = day(request.received_at)
    yield say("head", request=request.request, kind=kind(request.kind, lang), received=received, as_of=day(answer.as_of))
    yield say(request.state)
    yield ""
    if not answer.records:
        yield say("none")
    for told, count in _alike(answer):
        what = shown(getattr(told.data_kind, lang.value)) if told.data_kind else say("unnamed")
        sentence = _sentence(told, answer, lang)
        yield lines(say("record", count=count, what=what, target=shown(str(told.target)), sentence=sentence))
    if answer.recipients:
        yield say("recipients")
        for recipient in answer.recipients:
            yield lines(_recipient_text(recipient, say))
    if answer.unknowing:
        yield say("unknowing", targets=", ".join(map(str, answer.unknowing)))
    if answer.unreadable:
        yield say("unreadable", targets=", ".join(map(str, answer.unreadable)))


def answer_json(answer: Answer, lang: Lang) -> AnswerJson:
    """The answer for a program; its sentences are in `lang`."""
    return {
        "request": request_json(answer.request, [answer.zone], answer.as_of),
        "as_of": stamp(answer.as_of),
        "records": [_told_json(told, count, answer, lang) for told, count in _alike(answer)],
        "recipients": [{"system": one.system, "holder": one.holder, "role": one.role.value} for one in answer.recipients],
        "unknowing": [str(target) for target in answer.unknowing],
        "unreadable": [str(target) for target in answer.unreadable],
    }


def sentences(lang: Lang) -> Say:
    """Return what says a sentence in `lang`: its name, and what is to be put into it."""
    number = 0 if lang is Lang.DE else 1
    return lambda name, **parts: _SENTENCES[name][number].format(**parts)


def _alike(answer: Answer) -> list[tuple[Told, int]]:
    """Each thing that is to be told once, with the number of records of which it is so."""
    return list(Counter(answer.records).items())


def _sentence(told: Told, answer: Answer, lang: Lang) -> str:
    say, day = sentences(lang), _days(answer.zone, lang)
    holds = "; ".join(
        say("hold", kind=kind(one.kind, lang))
        if one.end is None
        else say("hold_until", kind=kind(one.kind, lang), end=day(one.end))
        for one in told.suspensions
    )
    now = told.fate is Fate.GOES and told.at is not None and told.at <= answer.as_of
    parts = {
        "at": day(told.at) if told.at else "?",
        "done": done(told.action, lang),
        "basis": say("basis", basis=shown(told.basis)) if told.basis else "",
        "holds": holds,
    }
    sentence = say("goes_now" if now else told.fate, **parts)
    return sentence + (say("blocked") if told.blocked else say("to_block") if told.to_block else "")


def _recipient_text(recipient: Recipient, say: Say) -> str:
    return say(recipient.role, holder=shown(recipient.holder), system=shown(recipient.system))


def _told_json(told: Told, count: int, answer: Answer, lang: Lang) -> ToldJson:
    return {
        "system": told.target.system,
        "dataset": told.target.dataset,
        "rule": told.rule,
        "data_kind": {"de": told.data_kind.de, "en": told.data_kind.en} if told.data_kind else None,
        "count": count,
        "fate": told.fate.value,
        "at": stamp(told.at) if told.at else None,
        "blocked": told.blocked,
        "to_block": told.to_block,
        "basis": told.basis,
        "holds": [one.kind.value for one in told.suspensions],
        "concerned": told.concerned,
        "sentence": _sentence(told, answer, lang),
    }


def _days(zone: str, lang: Lang) -> _Day:
    form = "%d.%m.%Y" if lang is Lang.DE else "%Y-%m-%d"
    return lambda at: at.astimezone(ZoneInfo(zone)).strftime(form)
