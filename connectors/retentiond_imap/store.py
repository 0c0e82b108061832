"""What is asked of a mailbox for a data set, whatever kind of server it lies on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from retentiond.connector import ConnectorError
from retentiond_imap import plain, proton
from retentiond_imap.layout import Layout, layout_of
from retentiond_imap.records import Dataset, Found, Key
from retentiond_imap.session import Session


def scan(session: Session, dataset: Dataset, before: datetime | None = None) -> list[Found]:
    """Every record of the data set, in no order; with `before` those alone that were received before it, and some more."""
    look = proton.scan if dataset.connection.proton else plain.scan
    return look(session, dataset, layout_of(session, dataset), before)


def resolve(
    session: Session, dataset: Dataset, keys: Sequence[Key], layout: Layout | None = None, *, dated: bool = True
) -> dict[Key, Found]:
    """What is there now under each key, claimed or not; what is gone is left out. Without `dated` no dates of conversations."""
    look = proton.resolve if dataset.connection.proton else plain.resolve
    return look(session, dataset, layout or layout_of(session, dataset), keys, dated=dated)


def lacking(session: Session, dataset: Dataset, layout: Layout) -> list[str]:
    """Finished sentences on why nothing can be deleted here; empty where it can."""
    where, target = session.where, dataset.target
    found = []
    if not session.has("UIDPLUS"):
        found.append(
            f"{where} lacks UIDPLUS, without which a delete in {target} would take along what others have marked; "
            f"nothing is deleted there."
        )
    if dataset.connection.proton:
        if not session.has("MOVE"):
            found.append(f"{where} lacks MOVE, which deleting from {target} needs; update Proton Bridge.")
        if layout.special("\\all") is None:
            found.append(
                f"{where} shows no All Mail, so nobody could tell for {target} what is gone. Switch it on in Proton Bridge."
            )
        if layout.special("\\trash") is None:
            found.append(f"{where} shows no Trash, out of which alone messages of {target} can be deleted.")
    elif session.has("X-GM-EXT-1") or layout.special("\\all") is not None:
        found.append(
            f"{where} shows every message in a folder of all mail as well, where it would stay; a delete in {target} would only "
            f"take it out of a folder. For Proton Bridge say flavour: proton; other servers of this kind are not supported."
        )
    return found


def unclaimed(session: Session, dataset: Dataset) -> int:
    """How many folders hold messages of no data set; labels, views of the whole, and folders of blocked messages do not count."""
    layout = layout_of(session, dataset)
    claims = (dataset.claim, *dataset.rivals)
    aside = [f"{claim.aside}{layout.delimiter}" for claim in claims if claim.aside is not None]
    return sum(
        one.selectable
        and not one.marks & {"\\all", "\\flagged"}
        and not (dataset.connection.proton and one.name.startswith(proton.LABELS))
        and not any(f"{one.name}{layout.delimiter}".startswith(start) for start in aside)
        and not any(claim.holds(one.name) for claim in claims)
        for one in layout.mailboxes
    )


def unfit(dataset: Dataset) -> str | None:
    """A finished sentence on why the options do not fit the server's flavour; None where they do."""
    if dataset.connection.proton:
        return None
    odd = [mark for mark in _named(dataset) if any(letter in ' (){%*"\\]' for letter in mark.removeprefix("\\"))]
    if odd:
        return (
            f"{len(odd)} of the flags and keywords in the options of {dataset.target} hold blanks or signs that no keyword can "
            f"have, so no message would ever have them; correct them."
        )
    return None


def refuse_unfit(dataset: Dataset) -> None:
    """Raise `ConnectorError` where the options do not fit the server's flavour."""
    sentence = unfit(dataset)
    if sentence is not None:
        raise ConnectorError(sentence, "unsupported")


def _named(dataset: Dataset) -> set[str]:
    return {*dataset.decisive.names, *dataset.decisive.prefixes}
