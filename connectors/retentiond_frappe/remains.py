"""What hangs on a record, and what stays behind when it goes: found by where it points, gathered before, purged after."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence

from retentiond.connector import Subject, subject
from retentiond_frappe.addresses import addresses
from retentiond_frappe.site import CHUNK, NoSuchDocType, Row, Site

Node = tuple[str, str]
"""A DocType and the name of one record of it."""

HISTORY, COMMENT = "Version", "Comment"
LETTERHEAD = ("sender", "recipients", "cc", "bcc")

SATELLITES = (
    ("CRM Notification", "reference_doctype", "reference_name"),
    ("CRM Notification", "notification_type_doctype", "notification_type_doc"),
    ("Email Queue", "reference_doctype", "reference_name"),
    ("File", "attached_to_doctype", "attached_to_name"),
    ("Communication", "reference_doctype", "reference_name"),
    ("CRM Task", "reference_doctype", "reference_docname"),
    ("CRM Call Log", "reference_doctype", "reference_docname"),
    ("FCRM Note", "reference_doctype", "reference_docname"),
    ("ToDo", "reference_type", "reference_name"),
    ("Email Unsubscribe", "reference_doctype", "reference_name"),
    ("Comment", "reference_doctype", "reference_name"),
)
"""The DocTypes of what hangs on a record, and the fields that say on which; in the order in which they can be deleted."""

SWEPT = (
    (HISTORY, "ref_doctype", "docname"),
    (COMMENT, "reference_doctype", "reference_name"),
    ("View Log", "reference_doctype", "reference_name"),
    ("Notification Log", "document_type", "document_name"),
    ("DocShare", "share_doctype", "share_name"),
    ("ToDo", "reference_type", "reference_name"),
)
"""What the site's background worker takes away once a record is deleted."""

RANK = {doctype: number for number, (doctype, _, _) in enumerate(SATELLITES)}

POINTERS = tuple(dict.fromkeys((kind, name) for _, kind, name in (*SATELLITES, *SWEPT)))
"""Pairs of fields by which a copy in the trash says what it hung on."""


def see_satellites(site: Site) -> list[str]:
    """See that nothing that may hang on a record is hidden from us; the DocTypes that the site has."""
    return [doctype for doctype in dict.fromkeys([*RANK, HISTORY, "Deleted Document"]) if site.whole(doctype)]


def pointing(site: Site, places: Iterable[tuple[str, str, str]], nodes: Iterable[Node]) -> list[tuple[Node, str, Row]]:
    """What points at one of the nodes: the node, the DocType and the row of what points there."""
    names: dict[str, list[str]] = defaultdict(list)
    for doctype, name in nodes:
        names[doctype].append(name)
    found = []
    for place, kind, field in places:
        for doctype, some in names.items():
            try:
                kept = [["global_unsubscribe", "=", 0]] if place == "Email Unsubscribe" else []  # an objection has to stay
                rows = site.of(place, [field], field, some, [[kind, "=", doctype], *kept])
                found += [((doctype, str(row[field])), place, row) for row in rows if str(row[field]) in set(some)]
            except NoSuchDocType:
                break
    return found


def remaining(site: Site, doctype: str, names: Sequence[str]) -> set[str]:
    """Those of the names of which the history of fields still tells."""
    if not names:
        return set()
    site.see_all(HISTORY)
    return {node[1] for node, _, _ in pointing(site, [(HISTORY, "ref_doctype", "docname")], [(doctype, name) for name in names])}


def gather(site: Site, roots: Sequence[Node]) -> dict[Node, list[Node]]:
    """All that hangs on each root, and on that in turn; what has to go first comes first."""
    whose: dict[Node, Node] = {root: root for root in roots}
    level = list(roots)
    while level:
        found: list[Node] = []
        for node, doctype, row in pointing(site, SATELLITES, level):
            new = (doctype, str(row["name"]))
            if new not in whose:
                whose[new] = whose[node]
                found.append(new)
        found += _notes_of_calls(site, whose, level)
        found += _linked_calls(site, whose, level)
        level = found
    under: dict[Node, list[Node]] = {root: [] for root in roots}
    for node, root in reversed(whose.items()):
        if node != root:
            under[root].append(node)
    return {root: sorted(nodes, key=lambda node: RANK.get(node[0], len(RANK))) for root, nodes in under.items()}


def _notes_of_calls(site: Site, whose: dict[Node, Node], level: Sequence[Node]) -> list[Node]:
    """A call names its note; the note does not name the record, and would be left behind with what was said."""
    calls = [name for doctype, name in level if doctype == "CRM Call Log"]
    found: list[Node] = []
    for call in site.of("CRM Call Log", ["note"], "name", calls) if calls else ():
        note = ("FCRM Note", str(call["note"] or ""))
        if note[1] and note not in whose:
            whose[note] = whose["CRM Call Log", str(call["name"])]
            found.append(note)
    return found


def _linked_calls(site: Site, whose: dict[Node, Node], level: Sequence[Node]) -> list[Node]:
    """Calls that are linked with a record by their table of links alone."""
    found: list[Node] = []
    for doctype, name in level:
        if (doctype, name) not in whose or whose[doctype, name] != (doctype, name):
            continue
        links = [["parenttype", "=", "CRM Call Log"], ["link_doctype", "=", doctype], ["link_name", "=", name]]
        try:
            calls = [str(row["parent"]) for row in site.rows("Dynamic Link", ["parent"], links, parent="CRM Call Log")]
            for row in site.of("CRM Call Log", ["reference_docname"], "name", calls):
                new = ("CRM Call Log", str(row["name"]))
                if not row["reference_docname"] and new not in whose:
                    whose[new] = (doctype, name)
                    found.append(new)
        except NoSuchDocType:
            return found
    return found


def mails_of(site: Site, persons: Iterable[Subject]) -> list[Node]:
    """E-mails that hang on no record and are from or to exactly one of these persons."""
    found = []
    for person in persons:
        either = [[field, "like", f"%{person.value}%"] for field in LETTERHEAD]
        rows = site.rows("Communication", [*LETTERHEAD, "reference_name"], [["reference_name", "is", "not set"]], either)
        found += [("Communication", str(row["name"])) for row in rows if from_or_to(row, {person})]
    return found


def from_or_to(mail: Row, persons: Collection[Subject]) -> bool:
    """Whether an e-mail hangs on no record, and is from or to exactly one of these persons."""
    named = {subject("email", one) for field in LETTERHEAD for one in addresses(mail.get(field))}
    return not mail.get("reference_name") and not named.isdisjoint(persons)


def points_into(data: Row, nodes: Iterable[Node]) -> bool:
    """Whether a copy in the trash is of something that hung on one of the nodes, or tells of its going."""
    wanted = set(nodes)
    if data.get("doctype") == "CRM Deal" and ("CRM Lead", str(data.get("lead"))) in wanted:
        return True
    if any((str(data.get(kind)), str(data.get(name))) in wanted for kind, name in POINTERS):
        return True
    return data.get("doctype") == COMMENT and str(data.get("subject") or "") in {f"{doctype} {name}" for doctype, name in wanted}


def like(name: str) -> str:
    """A pattern that surely fits a copy of what names `name`, however the copy writes its letters; and others, too."""
    return "%" + "".join(letter if letter.isascii() and (letter.isalnum() or letter in " .@-") else "%" for letter in name) + "%"


__all__ = ["CHUNK", "from_or_to", "gather", "like", "mails_of", "pointing", "points_into", "remaining", "see_satellites"]
