"""What is configured and what can be done there; which kinds of system are known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypedDict

from rich.console import RenderableType

from retentiond.connector.api import Connector
from retentiond.engine.workplace import Workplace
from retentiond.model.record import Action
from retentiond.report.layout import table
from retentiond.report.shown import shown


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
        grid.add_row(shown(connector.name), shown(connector.title), ", ".join(_actions(connector)) or "only read", shown(needs))
    yield grid


def _actions(connector: Connector) -> list[str]:
    roles = {Action.DELETE: connector.deleter, Action.BLOCK: connector.blocker, Action.ANONYMIZE: connector.anonymizer}
    return [action.value for action, role in roles.items() if role is not None]
