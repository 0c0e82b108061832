"""What is stored about one record's fate: the governing rule, each bound, the verdict, what the log says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TypedDict

from rich.console import RenderableType

from retentiond.engine.assignment import Assignment
from retentiond.engine.values import Fate
from retentiond.model.bound import Bound
from retentiond.model.circumstances import Suspension, Trigger
from retentiond.model.decision import BoundEnd, Decision, Verdict
from retentiond.model.due import LAST_MOMENT
from retentiond.model.record import Action, Moment
from retentiond.model.rule import Rule
from retentiond.report.layout import lines
from retentiond.report.log import Trace, TraceJson, trace_json, trace_text
from retentiond.report.phrases import Lang, Say, counting, done, kind, phrases, reason, stage, to_do, verdict
from retentiond.report.shown import day_or_moment, moment, shown, stamp


class BoundJson(TypedDict):
    """One bound of the rule, for this record."""

    stage: str
    dates: list[str]
    start: str | None
    end: str | None
    basis: str | None


class SuspensionJson(TypedDict):
    """Something for the sake of which the record must not go."""

    kind: str
    reference: str
    end: str | None


class TriggerJson(TypedDict):
    """Something that ended its purpose, or has it blocked."""

    kind: str
    reference: str
    at: str


class FateJson(TypedDict):
    """What one rule says about the record."""

    policy: str
    rule: str
    found: bool
    blocked: bool | None
    dates: dict[str, str | None]
    verdict: str | None
    reason: str | None
    due_at: str | None
    block_at: str | None
    step: str | None
    act_from: str | None
    review_at: str | None
    facts: dict[str, bool | int | str | None]
    contested: bool | None
    unmet: list[str]
    suspensions: list[SuspensionJson]
    triggers: list[TriggerJson]
    bounds: list[BoundJson]


class ExplainJson(TypedDict):
    """What `explain --json` writes."""

    system: str
    dataset: str
    as_of: str
    fates: list[FateJson]
    log: list[TraceJson]
    log_note: str | None


def explain_json(fates: Sequence[Fate], as_of: datetime, log: Sequence[Trace], log_note: str | None) -> ExplainJson:
    """The fate for a program; without the record's key, which the caller knows."""
    return {
        "system": fates[0].target.system,
        "dataset": fates[0].target.dataset,
        "as_of": stamp(as_of),
        "fates": [_fate_json(fate) for fate in fates],
        "log": [trace_json(one) for one in log],
        "log_note": log_note,
    }


def explain_text(
    fates: Sequence[Fate],
    rules: Mapping[str, Assignment],
    key: str,
    as_of: datetime,
    log: Sequence[Trace],
    log_note: str | None,
    lang: Lang = Lang.EN,
) -> Iterator[RenderableType]:
    """The fate for the person who named the record by `key`; `rules` are those of the fates, by their ids."""
    say = phrases(lang)
    yield say("head", key=shown(key), target=shown(str(fates[0].target)), as_of=moment(as_of))
    for fate in fates:
        yield ""
        yield from _fate_text(fate, rules[fate.rule], lang)
    yield ""
    if log_note:
        yield say("log_note", note=shown(log_note))
    elif not log:
        yield say("log_none")
    else:
        yield say("log")
        for one in log:
            yield lines(trace_text(one))


def _fate_text(fate: Fate, assignment: Assignment, lang: Lang) -> Iterator[RenderableType]:
    say, zone, rule = phrases(lang), assignment.zone, assignment.rule
    yield say("rule", rule=shown(fate.rule), policy=shown(fate.policy), kind=shown(getattr(rule.data_kind, lang.value)))
    if fate.ref is None or fate.decision is None:
        yield lines(say("absent"))
        return
    for name, at in sorted(fate.ref.dates.items()):
        yield lines(f"{shown(name)}: {_when(at, zone, say)}")
    for name, fact in sorted(fate.ref.facts.items()):
        yield lines(f"{shown(name)}: {say('unknown') if fact is None else shown(str(fact))}")
    if fate.ref.rows > 1:
        yield lines(say("rows", count=f"{fate.ref.rows:,}"))
    to = say("visible", roles=", ".join(rule.visible_to)) if rule.visible_to else ""
    yield lines(say("blocked", to=to) if fate.ref.blocked else say("unblocked"))
    for (_, bound), end in zip(rule.bounds, fate.decision.ends, strict=True):
        yield lines(_bound_text(rule, bound, end, lang))
        ends = say("open") if end.end == LAST_MOMENT and end.start is None else _when(end.end, zone, say)
        yield lines(say("span", start=_when(end.start, zone, say), end=ends), depth=2)
    yield from _circumstances_text(fate.decision, zone, lang)
    yield lines(_verdict_text(fate.decision, zone, lang))
    for what in _next_text(fate, assignment, lang):
        yield lines(what, depth=2)


def _bound_text(rule: Rule, bound: Bound, end: BoundEnd, lang: Lang) -> str:
    say, start = phrases(lang), rule.start_of(bound)
    names = ", ".join(start.names)
    from_ = say("from_latest" if len(start.names) > 1 else "from_last_day" if start.inclusive_end else "from", names=names)
    if start.else_:
        from_ = say("else", start=from_, other=start.else_.at, plus=start.else_.plus)
    basis = f" ({shown(end.basis)})" if end.basis else ""
    return say(
        "bound",
        stage=stage(end.stage, lang),
        period=bound.period,
        start=from_,
        counted=counting(bound.counted, lang),
        basis=basis,
    )


def _circumstances_text(decision: Decision, zone: str, lang: Lang) -> Iterator[RenderableType]:
    say = phrases(lang)
    for one in decision.suspensions:
        parts = {"kind": kind(one.kind, lang), "reference": shown(one.reference)}
        if one.end is None:
            yield lines(say("suspension_open", **parts))
        else:
            yield lines(say("suspension_end", end=moment(one.end, zone), **parts))
    for trigger in dict.fromkeys(decision.triggers):
        at = moment(trigger.at, zone)
        yield lines(say("trigger", kind=kind(trigger.kind, lang), reference=shown(trigger.reference), at=at))
    for fact in decision.unmet:
        yield lines(say("unmet", fact=shown(fact)))


def _when(value: Moment | None, zone: str, say: Say) -> str:
    if value is None:
        return say("unknown")
    return moment(value, zone) if isinstance(value, datetime) else value.isoformat()


def _verdict_text(decision: Decision, zone: str, lang: Lang) -> str:
    say = phrases(lang)
    parts = [say("verdict", verdict=verdict(decision.verdict, lang), reason=reason(decision.reason, lang))]
    if decision.due_at:
        parts.append(say("due", at=moment(decision.due_at, zone)))
    parts.append(say("step", action=to_do(decision.step, lang)) if decision.step else say("no_step"))
    return " ".join(parts)


def _next_text(fate: Fate, assignment: Assignment, lang: Lang) -> Iterator[str]:
    """What will happen to the record, and when, in the order of its life."""
    say, zone, rule, decision = phrases(lang), assignment.zone, assignment.rule, fate.decision
    if decision is None or decision.verdict is Verdict.UNDATABLE:
        return
    if decision.block_at and assignment.can_block and fate.ref is not None and not fate.ref.blocked:
        yield say("will_block", at=moment(decision.block_at, zone))
    if decision.review_at and decision.review_at != LAST_MOMENT and rule.review_after:
        yield say("will_review", at=moment(decision.review_at, zone), owner=rule.review_after.owner)
    if rule.action is Action.BLOCK:
        return
    if decision.act_from and decision.act_from != LAST_MOMENT:
        yield say("will_act", at=moment(decision.act_from, zone), done=done(rule.action, lang))
    elif decision.verdict is Verdict.HELD or decision.unmet:
        yield say("will_wait", done=done(rule.action, lang))


def _fate_json(fate: Fate) -> FateJson:
    ref, decision = fate.ref, fate.decision
    return {
        "policy": fate.policy,
        "rule": fate.rule,
        "found": ref is not None,
        "blocked": ref.blocked if ref else None,
        "dates": {name: day_or_moment(at) if at else None for name, at in ref.dates.items()} if ref else {},
        "verdict": decision.verdict.value if decision else None,
        "reason": decision.reason.value if decision else None,
        "due_at": stamp(decision.due_at) if decision and decision.due_at else None,
        "block_at": stamp(decision.block_at) if decision and decision.block_at else None,
        "step": decision.step.value if decision and decision.step else None,
        "act_from": stamp(decision.act_from) if decision and decision.act_from else None,
        "review_at": stamp(decision.review_at) if decision and decision.review_at else None,
        "facts": dict(ref.facts) if ref else {},
        "contested": ref.contested if ref else None,
        "unmet": list(decision.unmet) if decision else [],
        "suspensions": [_suspension_json(one) for one in decision.suspensions] if decision else [],
        "triggers": [_trigger_json(one) for one in dict.fromkeys(decision.triggers)] if decision else [],
        "bounds": [_bound_json(end) for end in decision.ends] if decision else [],
    }


def _suspension_json(one: Suspension) -> SuspensionJson:
    return {"kind": one.kind.value, "reference": one.reference, "end": stamp(one.end) if one.end else None}


def _trigger_json(one: Trigger) -> TriggerJson:
    return {"kind": one.kind, "reference": one.reference, "at": stamp(one.at)}


def _bound_json(end: BoundEnd) -> BoundJson:
    return {
        "stage": end.stage.value,
        "dates": list(end.date_names),
        "start": day_or_moment(end.start) if end.start else None,
        "end": stamp(end.end) if end.end else None,
        "basis": end.basis,
    }
