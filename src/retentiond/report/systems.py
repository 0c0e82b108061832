"""What is configured and what can be done there; what each system says now; which kinds of system are known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TypedDict

from rich.console import RenderableType

from retentiond.connector.api import Connector
from retentiond.engine.survey import Surveyed, SystemSurvey
from retentiond.engine.workplace import Workplace
from retentiond.model.policy import Attested
from retentiond.model.record import Action
from retentiond.report.layout import lines, table
from retentiond.report.shown import counted, moment, shown, span, stamp
from retentiond.store import Attestation, AttestationResult


class SystemJson(TypedDict):
    """One data set of one system."""

    system: str
    dataset: str
    connector: str
    dates: list[str]
    actions: list[str]
    rules: list[str]


class SystemsJson(TypedDict):
    """What `systems --json` writes."""

    datasets: list[SystemJson]


class PermittedJson(TypedDict):
    """Whether one action could be done."""

    action: str
    rules: list[str]
    ready: bool
    findings: list[str]


class CopyJson(TypedDict):
    """A copy that outlives a delete."""

    name: str
    until: str | None


class SurveyedJson(TypedDict):
    """What one data set said."""

    dataset: str
    connector: str
    reachable: bool
    trouble: str | None
    records: int | None
    clock_ahead_seconds: float | None
    permitted: list[PermittedJson]
    copies: list[CopyJson]


class EvidenceJson(TypedDict):
    """What has to be attested about a system, with the newest evidence."""

    rule: str
    result: str | None
    by: str | None
    attested_at: str | None
    expires: str | None
    good: bool


class SurveyJson(TypedDict):
    """One system that settings or policies name."""

    system: str
    holder: str | None
    role: str | None
    datasets: list[SurveyedJson]
    attestations: list[EvidenceJson]


class SystemsLiveJson(TypedDict):
    """What `systems --live --json` writes."""

    as_of: str
    systems: list[SurveyJson]


class ConnectorJson(TypedDict):
    """One kind of system."""

    name: str
    title: str
    actions: list[str]
    extra: str | None
    batch_size: int


class ConnectorsJson(TypedDict):
    """What `connectors --json` writes."""

    connectors: list[ConnectorJson]


def systems_json(workplace: Workplace) -> SystemsJson:
    """The data sets for a program."""
    datasets: list[SystemJson] = []
    for target, bound in sorted(workplace.targets.items(), key=lambda item: str(item[0])):
        offer = bound.offer()
        datasets.append(
            {
                "system": target.system,
                "dataset": target.dataset,
                "connector": bound.connector.name,
                "dates": sorted(offer.dates),
                "actions": sorted(action.value for action in offer.actions),
                "rules": [one.rule.id for one in workplace.assignments if one.target.target == target],
            }
        )
    return {"datasets": datasets}


def systems_text(workplace: Workplace) -> Iterator[RenderableType]:
    """The data sets for a person."""
    found = systems_json(workplace)["datasets"]
    grid = table("data set", "connector", "dates", "can", "governed by")
    for one in found:
        grid.add_row(
            shown(f"{one['system']}/{one['dataset']}"),
            shown(one["connector"]),
            shown(", ".join(one["dates"])),
            ", ".join(one["actions"]) or "nothing",
            shown(", ".join(one["rules"])) or "no rule: kept for ever",
        )
    yield grid


def live_json(told: Sequence[SystemSurvey], now: datetime) -> SystemsLiveJson:
    """What the systems said, for a program; `now` (aware UTC) is when they were asked."""
    return {
        "as_of": stamp(now),
        "systems": [
            {
                "system": one.name,
                "holder": one.info.holder if one.info else None,
                "role": one.info.role if one.info else None,
                "datasets": [_surveyed_json(data, now) for data in one.datasets],
                "attestations": [_evidence_json(asked, last, now) for asked, last in one.attestations],
            }
            for one in told
        ],
    }


def _surveyed_json(data: Surveyed, now: datetime) -> SurveyedJson:
    return {
        "dataset": data.target.dataset,
        "connector": data.connector,
        "reachable": data.trouble is None,
        "trouble": data.trouble,
        "records": data.records,
        "clock_ahead_seconds": None if data.ahead is None else round(data.ahead.total_seconds(), 3),
        "permitted": [
            {
                "action": one.action.value,
                "rules": list(one.rules),
                "ready": one.ready,
                "findings": [finding.what for finding in one.findings],
            }
            for one in data.permitted
        ],
        "copies": [{"name": copy.name, "until": None if copy.lives is None else stamp(now + copy.lives)} for copy in data.copies],
    }


def _evidence_json(asked: Attested, last: Attestation | None, now: datetime) -> EvidenceJson:
    return {
        "rule": asked.id,
        "result": last.result.value if last else None,
        "by": last.by if last else None,
        "attested_at": stamp(last.at) if last else None,
        "expires": stamp(last.expires) if last else None,
        "good": last is not None and last.result is AttestationResult.MET and last.expires > now,
    }


def live_text(one: SystemSurvey, now: datetime) -> Iterator[RenderableType]:
    """What one system said, for a person; `now` (aware UTC) is when it was asked."""
    whose = f", {one.info.holder} ({one.info.role})" if one.info else ", of which no policy says whose it is"
    yield f"{shown(one.name)}{shown(whose)}"
    for data in one.datasets:
        yield from _surveyed_text(data, now)
    if not one.datasets:
        yield lines(
            "NOT COVERED: no data set of the settings reaches it, and nobody has to attest anything about it."
            if one.uncovered
            else "Not reached by any data set of the settings; what is known of it was attested."
        )
    for asked, last in one.attestations:
        yield lines(f"{shown(asked.id)}: {_evidence_text(last, now)}")


def _surveyed_text(data: Surveyed, now: datetime) -> Iterator[RenderableType]:
    if data.trouble is not None:
        yield lines(f"{shown(data.target.dataset)} ({shown(data.connector)}): NOT REACHABLE. {shown(data.trouble)}")
        return
    clock = "" if data.ahead is None else f", its clock {_ahead(data.ahead)}"
    yield lines(
        f"{shown(data.target.dataset)} ({shown(data.connector)}): reachable, {counted(data.records or 0, 'record')}{clock}"
    )
    for one in data.permitted:
        asked = f" for {', '.join(one.rules)}" if one.rules else ", which no rule asks for"
        yield lines(f"{one.action}: {'permitted' if one.ready else 'REFUSED'}{shown(asked)}", depth=2)
        for finding in one.findings:
            yield lines(shown(finding.what), depth=3)
    if not data.permitted:
        yield lines("can only be read", depth=2)
    for copy in data.copies:
        until = "nobody has said until when" if copy.lives is None else f"until {moment(now + copy.lives)} if deleted now"
        yield lines(f"survives a delete: {shown(copy.name)}, {until}", depth=2)
    if not data.copies:
        yield lines("survives a delete: nothing that the settings or the connector name", depth=2)


def _ahead(ahead: timedelta) -> str:
    if abs(ahead) < timedelta(seconds=2):
        return "agrees with ours"
    return f"is {span(abs(ahead))} {'ahead of' if ahead > timedelta() else 'behind'} ours"


def _evidence_text(last: Attestation | None, now: datetime) -> str:
    if last is None:
        return "NEVER ATTESTED"
    when = f"on {moment(last.at)} by {shown(last.by)}"
    if last.result is not AttestationResult.MET:
        return f"attested {when} as {last.result.value.upper()}"
    if last.expires <= now:
        return f"attested {when}, EXPIRED on {moment(last.expires)}"
    return f"attested {when}, good until {moment(last.expires)}"


def connectors_json(known: Mapping[str, Connector]) -> ConnectorsJson:
    """The kinds of system for a program."""
    return {
        "connectors": [
            {
                "name": connector.name,
                "title": connector.title,
                "actions": _actions(connector),
                "extra": connector.extra,
                "batch_size": connector.batch_size,
            }
            for connector in known.values()
        ]
    }


def connectors_text(known: Mapping[str, Connector]) -> Iterator[RenderableType]:
    """The kinds of system for a person."""
    grid = table("connector", "for", "can", "needs")
    for connector in known.values():
        needs = f"retentiond[{connector.extra}]" if connector.extra else "nothing more"
        can = ["tasks for persons"] if connector.tasks is not None else _actions(connector)
        can += ["attest"] if connector.attestor is not None else []
        grid.add_row(shown(connector.name), shown(connector.title), ", ".join(can) or "only read", shown(needs))
    yield grid


def _actions(connector: Connector) -> list[str]:
    roles = {Action.DELETE: connector.deleter, Action.BLOCK: connector.blocker, Action.ANONYMIZE: connector.anonymizer}
    return [action.value for action, role in roles.items() if role is not None]
