"""What `explain` says, in both languages: one table, so that neither language knows more than the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum

from retentiond.model.bound import Stage
from retentiond.model.decision import Reason, Verdict
from retentiond.model.hold import HoldKind
from retentiond.model.period import Counted
from retentiond.model.record import Action
from retentiond.report.rule import BOUNDS, COUNTED
from retentiond.report.words import REASONS, VERDICTS


class Lang(StrEnum):
    """A language that reports are written in."""

    DE = "de"
    EN = "en"


Say = Callable[..., str]

_PHRASES: Mapping[str, tuple[str, str]] = {
    "head": ("Datensatz {key} in {target}, Stand {as_of}", "Record {key} of {target}, as of {as_of}"),
    "rule": ("Regel {rule} der Policy {policy}: {kind}", "Rule {rule} of policy {policy}: {kind}"),
    "absent": (
        "Das System hat zurzeit keinen Datensatz unter diesem Schlüssel.",
        "The system holds no record under this key now.",
    ),
    "rows": ("{count} Zeilen oder Teile gehören dazu", "{count} rows, lines or parts belong to it"),
    "blocked": ("gesperrt: ja{to}", "blocked now: yes{to}"),
    "unblocked": ("gesperrt: nein", "blocked now: no"),
    "visible": ("; einsehbar für {roles}", "; {roles} may still see it"),
    "span": ("beginnt {start}, endet {end}", "starts {start}, ends {end}"),
    "bound": ("{stage} {period} {start}, gezählt {counted}{basis}", "{stage} {period} {start}, counted {counted}{basis}"),
    "from": ("ab {names}", "from {names}"),
    "from_latest": ("ab dem spätesten von {names}", "from the latest of {names}"),
    "from_last_day": ("ab dem letzten Tag {names}", "from the last day {names}"),
    "else": ("{start}, sonst {other} plus {plus}", "{start}, else {other} plus {plus}"),
    "unknown": ("unbekannt", "unknown"),
    "open": ("offen", "open"),
    "suspension_open": ("aufgehalten: {kind} ({reference}), offen", "in the way: {kind} ({reference}), open"),
    "suspension_end": ("aufgehalten: {kind} ({reference}) bis {end}", "in the way: {kind} ({reference}) until {end}"),
    "trigger": ("Anlass: {kind} ({reference}) vom {at}", "brought about by: {kind} ({reference}) of {at}"),
    "unmet": ("fehlende Voraussetzung: {fact}", "requirement that is not met: {fact}"),
    "verdict": ("{verdict} ({reason}).", "{verdict} ({reason})."),
    "due": ("Fällig {at}.", "Due {at}."),
    "step": ("Schritt der Regel jetzt: {action}.", "The rule's step for it now: {action}."),
    "no_step": ("Die Regel lässt ihn jetzt in Ruhe.", "The rule leaves it alone now."),
    "will_block": ("wird ab {at} gesperrt", "will be blocked from {at}"),
    "will_review": ("ab {at} hat ein Mensch zu entscheiden ({owner})", "from {at} a person has to decide ({owner})"),
    "will_act": ("wird ab {at} {done}", "will be {done} from {at}"),
    "will_wait": ("danach: {done}, sobald nichts mehr im Weg steht", "then: {done} as soon as nothing is in the way any more"),
    "log_none": (
        "Löschprotokoll: kein Eintrag zu einem Datensatz unter diesem Schlüssel.",
        "Deletion log: no entry about a record under this key.",
    ),
    "log": ("Löschprotokoll:", "Deletion log:"),
    "log_note": ("Löschprotokoll: {note}", "Deletion log: {note}"),
}

_DONE: Mapping[Action, tuple[str, str]] = {
    Action.DELETE: ("gelöscht", "deleted"),
    Action.BLOCK: ("gesperrt", "blocked"),
    Action.ANONYMIZE: ("anonymisiert", "anonymized"),
    Action.UNBLOCK: ("entsperrt", "unblocked"),
}

_ACTIONS: Mapping[Action, tuple[str, str]] = {
    Action.DELETE: ("löschen", "delete"),
    Action.BLOCK: ("sperren", "block"),
    Action.ANONYMIZE: ("anonymisieren", "anonymize"),
    Action.UNBLOCK: ("entsperren", "unblock"),
}

_STAGES: Mapping[Stage, str] = {
    Stage.BLOCK_AFTER: "sperren nach",
    Stage.REVIEW_AFTER: "prüfen nach",
    Stage.KEEP_AT_LEAST: "mindestens aufbewahren",
    Stage.DELETE_AFTER: "entfernen nach",
    Stage.DELETE_BY: "spätestens weg nach",
}

_COUNTED: Mapping[Counted, str] = {
    Counted.EXACT: "auf die Sekunde",
    Counted.DAY_END: "in vollen Tagen",
    Counted.DAY_END_WORKDAY: "in vollen Tagen, bis zum nächsten Werktag",
    Counted.CALENDAR_YEAR_END: "ab dem Ende des Kalenderjahres",
    Counted.CALENDAR_YEAR_END_WORKDAY: "ab dem Ende des Kalenderjahres, bis zum nächsten Werktag",
}

_REASONS: Mapping[Reason, str] = {
    Reason.DUE: "seine Zeit ist um",
    Reason.PAST_CAP: "seine Zeit ist um, und die zugesagte Höchstdauer auch",
    Reason.AHEAD_OF_CAP: "die zugesagte Höchstdauer endet bald",
    Reason.TRIGGERED: "ein Ersuchen oder eine Prüfung hat seinen Zweck beendet",
    Reason.NOT_DUE: "seine Zeit ist noch nicht um",
    Reason.NOT_YET: "das Ereignis, ab dem die Frist läuft, ist noch nicht eingetreten",
    Reason.DUTY_RUNNING: "sein Zweck ist erfüllt, aber eine Aufbewahrungspflicht läuft noch",
    Reason.GUARDED: "die Pflicht ist abgelaufen, die Schontage nach dem Jahreswechsel noch nicht",
    Reason.HELD: "seine Zeit ist um, aber eine Löschsperre, ein offenes Steuerjahr oder ein Ersuchen steht entgegen",
    Reason.REVIEW_DUE: "ein Mensch hat über ihn zu entscheiden",
    Reason.REQUIREMENT: "seine Zeit ist um, aber eine Voraussetzung der Regel fehlt",
    Reason.CONTESTED: "er gehört noch zu einem anderen Datenbestand, sodass offen ist, welche Regel gilt",
    Reason.ALREADY_BLOCKED: "er ist bereits gesperrt und noch nicht zu entfernen",
    Reason.UNDATABLE: "ein Datum, das entscheidet, ist unbekannt",
    Reason.IMPLAUSIBLE_DATE: "ein Datum, das entscheidet, kann nicht stimmen und gilt als unbekannt",
}

_VERDICTS: Mapping[Verdict, str] = {
    Verdict.MUST_KEEP: "Er bleibt",
    Verdict.MAY_DELETE: "Er ist zu entfernen",
    Verdict.MUST_BE_GONE: "Er sollte schon weg sein",
    Verdict.HELD: "Er ist festgehalten und bleibt",
    Verdict.UNDATABLE: "Er bleibt, weil niemand sagen kann, wann er fällig ist",
}

_KINDS: Mapping[str, tuple[str, str]] = {
    HoldKind.LEGAL_CLAIM: ("Rechtsanspruch", "legal claim"),
    HoldKind.INCIDENT: ("Sicherheitsvorfall", "incident"),
    HoldKind.TAX_HOLD: ("Ablaufhemmung, § 147 Abs. 3 Satz 5 AO", "suspension of expiry, sec. 147(3) sentence 5 AO"),
    HoldKind.TAX_AUDIT: ("Außenprüfung", "tax audit"),
    HoldKind.AUTHORITY_ORDER: ("behördliche Anordnung", "authority order"),
    HoldKind.TECHNICAL_FAULT: ("technische Störung", "technical fault"),
    HoldKind.REQUEST: ("offenes Ersuchen", "open request"),
    "erasure": ("Löschersuchen, Art. 17 DSGVO", "erasure request, Art. 17 GDPR"),
    "objection": ("Widerspruch, Art. 21 Abs. 1 DSGVO", "objection, Art. 21(1) GDPR"),
    "objection-to-marketing": ("Werbewiderspruch, Art. 21 Abs. 3 DSGVO", "objection to marketing, Art. 21(3) GDPR"),
    "consent-withdrawn": ("Widerruf der Einwilligung, Art. 7 Abs. 3 DSGVO", "withdrawal of consent, Art. 7(3) GDPR"),
    "restriction": ("Einschränkung, Art. 18 DSGVO", "restriction, Art. 18 GDPR"),
    "purpose-ended": ("Wegfall des Zwecks", "purpose ended"),
    "access": ("Auskunft, Art. 15 DSGVO", "access, Art. 15 GDPR"),
}


def phrases(lang: Lang) -> Say:
    """Return what says a phrase in `lang`: its name, and what is to be put into it."""
    number = _number(lang)
    return lambda name, **parts: _PHRASES[name][number].format(**parts)


def done(action: Action, lang: Lang) -> str:
    """What a record is after the action."""
    return _DONE[action][_number(lang)]


def to_do(action: Action, lang: Lang) -> str:
    """The action itself."""
    return _ACTIONS[action][_number(lang)]


def stage(what: Stage, lang: Lang) -> str:
    """What a bound is for."""
    return _STAGES[what] if lang is Lang.DE else BOUNDS[what]


def counting(counted: Counted, lang: Lang) -> str:
    """How a period is counted."""
    return _COUNTED[counted] if lang is Lang.DE else COUNTED[counted]


def reason(why: Reason, lang: Lang) -> str:
    """Why a record is dealt with or left alone."""
    return _REASONS[why] if lang is Lang.DE else REASONS[why]


def verdict(what: Verdict, lang: Lang) -> str:
    """What is to become of it."""
    return _VERDICTS[what] if lang is Lang.DE else VERDICTS[what]


def kind(what: str, lang: Lang) -> str:
    """The kind of a hold or request; what is not in the table speaks for itself."""
    return _KINDS[what][_number(lang)] if what in _KINDS else what


def _number(lang: Lang) -> int:
    return 0 if lang is Lang.DE else 1
