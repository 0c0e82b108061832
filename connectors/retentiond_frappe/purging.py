"""Takes away what the site has kept of deleted records: history, traces, and last the copies that could be restored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from retentiond.connector import ConnectorError, Subject
from retentiond_frappe.parts import named_in
from retentiond_frappe.records import Dataset, Found
from retentiond_frappe.remains import COMMENT, HISTORY, SATELLITES, SWEPT, Node, from_or_to, like, pointing, points_into
from retentiond_frappe.site import CHUNK, Gone, Refused, Row, Site
from retentiond_frappe.trash import TRASH, read

MAIL = "Communication"

EARLIER = timedelta(minutes=10)
"""By so much the search for our own traces begins before we did: clocks differ."""


@dataclass(slots=True)
class Item:
    """One record that goes, with all that goes with it."""

    number: int
    root: Node
    found: Found
    nodes: list[Node] = field(default_factory=list)
    """What hangs on it, in the order in which it can be deleted."""
    stranger: str | None = None
    """Since when another record has its name; None where none has."""


class Purge:
    """What is done once the records are deleted; begun before, so that it knows since when."""

    def __init__(self, site: Site, second: Site, dataset: Dataset) -> None:
        self._site, self._second, self._dataset = site, second, dataset
        began: datetime | None = site.now()
        if began is None:
            raise ConnectorError(
                f"{dataset.who} does not tell its clock, so what it keeps of deletes cannot be found.", "malformed"
            )
        self._since = site.wall(began, -EARLIER)
        self._user = site.user()
        self._users = list(dict.fromkeys([self._user, second.user()]))

    def purge(self, done: Sequence[Item]) -> dict[int, str]:
        """Take away all that is left; by number, why something of a record is left."""
        codes: dict[int, str] = {}
        strangers = self.strangers(done)
        for item in done:
            item.stranger = strangers.get(item.root[1])
        own = self._own()
        copies = {item.number: self._copies(item, own, deep=True) for item in done}
        for item in done:
            deleted = [_node(row) for row in copies[item.number]]
            item.nodes += [node for node in dict.fromkeys(deleted) if node != item.root and node not in item.nodes]
            codes |= self._traces(item)
        for item in self._left([item for item in done if item.number not in codes]):
            codes[item.number] = "not-done"
        own = self._own()
        for item in done:
            if item.number in codes:
                continue
            found = {str(row["name"]): row for row in (*copies[item.number], *self._copies(item, own, deep=False))}
            for row in self._ordered(item, list(found.values())):
                if code := self._remove(self._site, TRASH, str(row["name"])):
                    codes[item.number] = code
                    break
        return codes

    def history(self, item: Item) -> str | None:
        """Take away the history of a record that stays, its comments and the copies of them; why not all of it went."""
        if codes := self._traces(item):
            return codes[item.number]
        own = self._own()
        for row in self._copies(item, own, deep=True):
            if not self._is_root(item, row) and (code := self._remove(self._site, TRASH, str(row["name"]))):
                return code
        return None

    def _own(self) -> list[Row]:
        return self._read([["owner", "in", self._users], ["creation", ">=", self._since]])

    def strangers(self, done: Sequence[Item]) -> dict[str, str]:
        """Records that have got the name of one of ours in the meantime, and since when they are there."""
        doctype = self._dataset.options.doctype
        names = [item.root[1] for item in done]
        return {str(row["name"]): str(row["creation"]) for row in self._site.of(doctype, [], "name", names)}

    def _traces(self, item: Item) -> dict[int, str]:
        """Remove history and comments of the record and of what hung on it; those of a stranger under its name stay."""
        places = [(HISTORY, "ref_doctype", "docname"), (COMMENT, "reference_doctype", "reference_name")]
        nodes = list(dict.fromkeys([item.root, *item.nodes]))
        found = [(place, row) for node, place, row in pointing(self._site, places, nodes) if _older(row, node, item)]
        titles = [f"{doctype} {name}" for doctype, name in nodes]
        for start in range(0, len(titles), CHUNK):
            some = [["comment_type", "=", "Deleted"], ["subject", "in", titles[start : start + CHUNK]]]
            found += [(COMMENT, row) for row in self._site.rows(COMMENT, ["subject"], some) if row["subject"] in titles]
        for place, row in found:
            with_key = self._second if place == HISTORY else self._site
            if code := self._remove(with_key, place, str(row["name"])):
                return {item.number: code}
            if place == COMMENT:
                item.nodes.append((COMMENT, str(row["name"])))
        return {}

    def _left(self, done: Sequence[Item]) -> list[Item]:
        """Those of which something is left, by another look."""
        whose = {node: item for item in done for node in (item.root, *item.nodes)}
        # Whose notification it is sees it, and the administrator does.
        left = [*pointing(self._site, SATELLITES, whose), *pointing(self._second, SWEPT, whose)]
        return [whose[node] for node, _, row in left if _older(row, node, whose[node])]

    def _copies(self, item: Item, own: Sequence[Row], *, deep: bool) -> list[Row]:
        """The copies in the trash of the record, of what hung on it and on that; `deep` asks for older ones, too."""
        found: dict[str, Row] = {}
        nodes = list(dict.fromkeys([item.root, *item.nodes]))
        asked: list[Node] = []
        fresh = [item.root]
        older: list[Row] = []
        names = [name for _, name in nodes] if deep else []
        for start in range(0, len(names), CHUNK):
            older += self._read([["deleted_name", "in", names[start : start + CHUNK]]])
        for person in self._persons(item) if deep else ():
            older += self._read(
                [["deleted_doctype", "=", MAIL], ["owner", "=", self._user], ["data", "like", f"%{person.value}%"]]
            )
        while fresh:
            for node in fresh if deep else ():
                older += self._read([["data", "like", like(node[1])]])
            candidates = [*own, *older]
            asked += fresh
            fresh = []
            grown = True
            while grown:
                grown = False
                for row in candidates:
                    node = _node(row)
                    if str(row["name"]) in found or not self._belongs(item, nodes, node, row):
                        continue
                    found[str(row["name"])] = row
                    for new in (node, *self._gone(named_in(row["data"], self._dataset.options, item.root[1]))):
                        if new not in nodes:
                            nodes.append(new)
                            grown = True
                            fresh += [new] if new not in asked and new[0] != COMMENT else []
        return list(found.values())

    def _gone(self, parts: Sequence[Node]) -> list[Node]:
        """Those of the parts that are no records any more: one that stayed is needed by others, and its traces are its own."""
        return [node for node in parts if not any(True for _ in self._site.of(node[0], [], "name", [node[1]]))]

    def _belongs(self, item: Item, nodes: Sequence[Node], node: Node, row: Row) -> bool:
        """By its name alone only what we ourselves have deleted: somebody else's may be a namesake's."""
        if node == item.root:
            return (str(row["data"].get("creation") or ""),) == item.found.ref.identity
        if node in nodes and row["owner"] == self._user:
            return True
        if node[0] == MAIL and row["owner"] == self._user and from_or_to(row["data"], self._persons(item)):
            return True
        mine = nodes if item.stranger is None or str(row["data"].get("creation")) < item.stranger else nodes[1:]
        return points_into(row["data"], mine)

    def _persons(self, item: Item) -> set[Subject]:
        """Whose e-mails go with the record though they hang on none."""
        return {one for one in item.found.ref.subjects if one.kind == "email" and self._dataset.options.mail_by_address}

    def _ordered(self, item: Item, rows: list[Row]) -> list[Row]:
        """The copies in an order in which each goes before the one that tells where it belongs; the record's own is the last.

        However a delete is cut short, what is left can be found from the copies that are left.
        """
        ordered = [row for row in rows if self._is_root(item, row)]
        known, rest = [item.root], [row for row in rows if not self._is_root(item, row)]
        while rest:
            mails = [row for row in rest if _node(row)[0] == MAIL and from_or_to(row["data"], self._persons(item))]
            near = [row for row in rest if row in mails or _node(row) in known or points_into(row["data"], known)]
            if not near:
                break
            ordered += near
            known += [new for row in near for new in (_node(row), *named_in(row["data"], self._dataset.options, item.root[1]))]
            rest = [row for row in rest if row not in near]
        return [*rest, *reversed(ordered)]

    @staticmethod
    def _is_root(item: Item, row: Row) -> bool:
        return _node(row) == item.root

    def _read(self, filters: Sequence[Sequence[object]]) -> list[Row]:
        rows = self._site.rows(TRASH, ["deleted_doctype", "deleted_name", "data", "owner"], filters)
        return [row | {"data": read(row["data"])} for row in rows]

    @staticmethod
    def _remove(site: Site, doctype: str, name: str) -> str | None:
        try:
            site.delete(doctype, name)
        except Gone:
            return None
        except Refused as refused:
            return refused.code
        return None


def _node(row: Row) -> Node:
    """What a copy in the trash is one of."""
    return (str(row["deleted_doctype"]), str(row["deleted_name"]))


def _older(row: Row, node: Node, item: Item) -> bool:
    """Whether what points at a name means our record, and not a stranger who has its name now."""
    return node != item.root or item.stranger is None or str(row["creation"]) < item.stranger
