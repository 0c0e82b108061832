"""What retentiond itself keeps, as a system that rules can be about; the engine brings the roles that reach it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from retentiond.connector.api import ConnectionOptions, Connector, Deleter, Offer, Reader, TargetOptions
from retentiond.model.record import Action, Target

NAME = "retentiond"
WRITTEN_AT = "written_at"
CLOSED_AT = "closed_at"
OBJECTED_AT = "objected_at"

Kind = Literal["deletion-log", "requests", "suppression-list"]

DATES: dict[Kind, str] = {"deletion-log": WRITTEN_AT, "requests": CLOSED_AT, "suppression-list": OBJECTED_AT}


class OwnConnection(ConnectionOptions):
    """Nothing to say: where retentiond keeps its own is told by the settings."""


class OwnDataset(TargetOptions):
    """Which of its own data sets."""

    kind: Kind = "deletion-log"
    """The deletion log counts from when an entry was written (`written_at`), requests of data subjects from when nothing has
    to be done about them any more (`closed_at`), marks of the suppression list from the objection (`objected_at`)."""


def _offer(_connection: OwnConnection, options: OwnDataset) -> Offer:
    # Requests and marks are out of reach of normal work from the beginning, so blocking them is always done already.
    actions = {Action.DELETE} if options.kind == "deletion-log" else {Action.DELETE, Action.BLOCK}
    return Offer(frozenset({DATES[options.kind]}), frozenset(actions))


def own_connector(
    reader: Callable[[Any, Any, Target], Reader],
    deleter: Callable[[Any, Any, Target], Deleter],
    blocker: Callable[[Any, Any, Target], Any],
) -> Connector:
    """The connector with these roles; by itself it reaches nothing, as only the engine knows where everything lies."""
    return Connector(
        name=NAME,
        title="What retentiond keeps itself",
        connection=OwnConnection,
        options=OwnDataset,
        offer=_offer,
        reader=reader,
        deleter=deleter,
        blocker=blocker,
    )


def _nowhere(*_: object) -> Any:
    raise NotImplementedError("what retentiond keeps is reached by the engine alone")


connector = own_connector(_nowhere, _nowhere, _nowhere)
