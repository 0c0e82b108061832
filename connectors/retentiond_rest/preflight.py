"""What can be told of a system before anything is done: whether we see at all, and how long yet."""

from __future__ import annotations

from datetime import timedelta

from retentiond.connector import Action, Finding
from retentiond_rest.looking import sampled, table_of
from retentiond_rest.session import Session

WARNED = timedelta(days=14)
"""So long before its end a key is told of."""


def preflight(session: Session, action: Action) -> list[Finding]:
    """The findings; raises `ConnectorError` where the system cannot be asked. Changes nothing."""
    del action  # whether a right to act is missing no system of these tells without being asked to act
    session.see()
    table_of(session)
    return [*_alike(session), *_ending(session)]


def _alike(session: Session) -> list[Finding]:
    if sampled(session):
        return []
    what = (
        f"The list of {session.target} and the request for one record tell of the same one in two ways, so each would count as "
        f"changed. Mend its manifest: dates, facts, persons and keys have to stand in both."
    )
    return [Finding(what)]


def _ending(session: Session) -> list[Finding]:
    ends = session.connection.key_expires
    if ends is None or session.clock is None:
        return []
    left = ends - session.clock.date()
    if left > WARNED:
        return []
    told = f"ends on {ends}" if left >= timedelta(0) else f"ended on {ends}"
    what = f"The key for {session.target} {told}. Make a new one, and tell its last day in `key_expires`."
    return [Finding(what, refuses=False)]
