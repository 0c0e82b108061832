"""The folders of a mailbox as far as a data set is concerned. A folder that is named and not seen is an error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from retentiond.connector import ConnectorError
from retentiond_imap.records import Dataset
from retentiond_imap.session import Mailbox, Session


@dataclass(frozen=True, slots=True)
class Spot:
    """A folder that is looked into."""

    name: str
    origin: str
    """The folder whose messages lie here: itself, or the one that they were blocked out of."""
    blocked: bool


@dataclass(frozen=True, slots=True)
class Layout:
    """What the server lists."""

    mailboxes: tuple[Mailbox, ...]
    spots: tuple[Spot, ...]
    """The folders that the data set claims messages of, and those where its blocked messages lie."""
    delimiter: str

    def special(self, mark: str) -> str | None:
        r"""The folder with this attribute, such as `\all`; None where the server tells of none."""
        return next((one.name for one in self.mailboxes if mark in one.marks and one.selectable), None)

    def aside(self, root: str, origin: str) -> str:
        """The folder for blocked messages that come from `origin`."""
        return f"{root}{self.delimiter}{origin}"

    def has(self, folder: str) -> bool:
        """True where there is such a folder, and it can hold messages."""
        return any(one.name == folder and one.selectable for one in self.mailboxes)

    def of(self, origin: str) -> list[Spot]:
        """Where messages of this folder lie."""
        return [spot for spot in self.spots if spot.origin == origin]


def layout_of(session: Session, dataset: Dataset) -> Layout:
    """Look at the folders; raises `ConnectorError` where one that the settings name is missing, or hidden from our user."""
    mailboxes = tuple(session.mailboxes())
    delimiter = next((one.delimiter for one in mailboxes if one.delimiter), "/")
    root = dataset.aside
    asides = {claim.aside for claim in (dataset.claim, *dataset.rivals) if claim.aside is not None}
    spots = []
    for one in mailboxes:
        if not one.selectable:
            continue
        if root is not None and one.name.startswith(f"{root}{delimiter}"):
            origin = one.name[len(root) + len(delimiter) :]
            if dataset.claim.holds(origin):
                spots.append(Spot(one.name, origin, blocked=True))
        elif not any(one.name == aside or one.name.startswith(f"{aside}{delimiter}") for aside in asides) and (
            dataset.claim.holds(one.name)
        ):
            spots.append(Spot(one.name, one.name, blocked=False))
    _complete(dataset, mailboxes, [spot.name for spot in spots if not spot.blocked], session.where)
    return Layout(mailboxes, tuple(spots), delimiter)


def _complete(dataset: Dataset, mailboxes: Sequence[Mailbox], claimed: Sequence[str], where: str) -> None:
    seen = {one.name for one in mailboxes}
    for pattern in dataset.options.folders:
        below = pattern[:-1] if pattern.endswith("*") else None
        # Nothing below a folder that is seen is nothing; below one that is not seen nobody can tell.
        there = pattern in claimed if below is None else below[:-1] in seen or any(name.startswith(below) for name in claimed)
        if not there and not dataset.claim.model_copy(update={"folders": (pattern,)}).holds(pattern):
            continue  # excepted itself
        if not there:
            raise ConnectorError(
                f"{where} shows no folder {pattern} for {dataset.target}: it is missing, or our user may not see it. "
                f"Make it, give the right to see it, or take it out of `folders`.",
                "unreadable",
            )
    if dataset.aside is not None and dataset.aside not in seen:
        raise ConnectorError(
            f"{where} shows no folder {dataset.aside}, where blocked messages of {dataset.target} lie: it is missing, or our "
            f"user may not see it. Make it, or give the right to see it.",
            "unreadable",
        )
