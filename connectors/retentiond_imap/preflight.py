"""Looks at a mailbox before anything is done in it: folders, rights, what the server can do, and the traps."""

from __future__ import annotations

from collections.abc import Iterator

from retentiond.connector import Action, ConnectorError, Finding, TransientConnectorError
from retentiond_imap.layout import Layout, layout_of
from retentiond_imap.options import Saved
from retentiond_imap.records import Dataset
from retentiond_imap.session import Session
from retentiond_imap.store import lacking

READS, TAKES, PUTS = "r", "te", "ik"
"""Rights (RFC 4314) that reading, taking away and putting somewhere need."""


def preflight(session: Session, dataset: Dataset, action: Action) -> list[Finding]:
    """Everything that is in the way of `action`, or worth knowing. Changes nothing."""
    try:
        layout = layout_of(session, dataset)
        return list(_findings(session, dataset, layout, action))
    except TransientConnectorError:
        raise
    except ConnectorError as error:
        return [Finding(str(error))]


def _findings(session: Session, dataset: Dataset, layout: Layout, action: Action) -> Iterator[Finding]:
    for sentence in lacking(session, dataset, layout) if action is Action.DELETE else ():
        yield Finding(sentence)
    for spot in layout.spots:
        session.examine(spot.name)
    yield from _rights(session, dataset, layout, action)
    if action is Action.BLOCK:
        yield from _blocking(session, dataset)
    if any(isinstance(source, Saved) for source in dataset.options.dates.values()) and not session.has("SAVEDATE"):
        yield Finding(
            f"{session.where} does not tell when a message came into its folder (SAVEDATE), so a date of {dataset.target} is "
            f"unknown for every message; rules that start from it find nothing to do.",
            refuses=False,
        )


def _rights(session: Session, dataset: Dataset, layout: Layout, action: Action) -> Iterator[Finding]:
    lacks = 0
    # Older servers (RFC 2086) have `d` for `t` and `e` together; newer ones tell it beside them where only one is given.
    fine = any(word.startswith("RIGHTS=") for word in session.capabilities)
    for spot in layout.spots:
        told = session.rights(spot.name)
        lacks += told is not None and not set(READS + (TAKES if fine else "d")) <= set(told)
    if lacks:
        yield Finding(
            f"{lacks:,} folders of {dataset.target} on {session.where} do not let our user mark and expunge messages; give "
            f"it the rights r, t and e there (RFC 4314).",
            of_rights=True,
        )
    if action is Action.BLOCK and dataset.aside is not None:
        told = session.rights(dataset.aside)
        if told is not None and not set(PUTS if fine else "ic") <= set(told):
            yield Finding(
                f"The folder {dataset.aside} on {session.where} does not let our user make folders and put messages there; "
                f"give it the rights i and k (RFC 4314).",
                of_rights=True,
            )


def _blocking(session: Session, dataset: Dataset) -> Iterator[Finding]:
    if dataset.aside is None:
        yield Finding(f"The options of {dataset.target} name no folder for blocked messages; add block.folder.")
        return
    if not session.has("MOVE"):
        yield Finding(
            f"{session.where} lacks MOVE, so nothing of {dataset.target} can be blocked without a moment in two folders."
        )
    if dataset.connection.proton or not session.has("ACL"):
        yield Finding(
            f"{session.where} has no access control that IMAP could show: blocked messages of {dataset.target} are out of the "
            f"folders of normal work, and whoever logs in to the mailbox can still open {dataset.aside}.",
            refuses=False,
        )
