"""What a lead was converted to: its deals, and with them contacts and organizations that nothing else needs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from retentiond_frappe.options import FrappeOptions
from retentiond_frappe.remains import Node, like
from retentiond_frappe.site import NoSuchDocType, Row, Site
from retentiond_frappe.trash import read

DEAL, CONTACT, ORGANIZATION = "CRM Deal", "Contact", "CRM Organization"

IGNORED = frozenset(
    {
        *("Communication", "ToDo", "DocShare", "Email Unsubscribe", "Activity Log", "File", "Version", "Document Follow"),
        *("Comment", "View Log", "Tag Link", "Notification Log", "Email Queue", "Document Share Key", "Integration Request"),
        *("Unhandled Email", "Webhook Request Log", "Workspace", "Route History", "Access Log", "Permission Log"),
        *("Failed Lead Sync Log", "Deleted Document"),
    }
)
"""DocTypes that may point at a record without keeping it from being deleted."""


def parts_of(site: Site, options: FrappeOptions, names: Sequence[str]) -> dict[str, list[Node] | None]:
    """The parts of each lead, in the order in which they can go; None where something that has to stay needs one of them."""
    parts: dict[str, list[Node] | None] = {name: [] for name in names}
    if not options.parts or not names:
        return parts
    deals = [*site.of(DEAL, ["lead", "contact", "organization"], "lead", names)]
    for name in names:
        deals += _thrown_deals(site, name)
    by_name = {str(deal["name"]): str(deal["lead"]) for deal in deals}
    contacts: dict[str, set[str]] = defaultdict(set)
    for deal in deals:
        if deal["contact"]:
            contacts[str(deal["contact"])].add(str(deal["name"]))
    for deal in deals:
        for person in deal.get("contacts") or ():
            contacts[str(person)].add(str(deal["name"]))
    for row in _contact_rows(site, "parent", list(by_name)):
        contacts[str(row["contact"])].add(str(row["parent"]))
    known = list(contacts)
    needed: dict[str, set[str]] = defaultdict(set)
    for row in _contact_rows(site, "contact", known):
        needed[str(row["contact"])].add(str(row["parent"]))
    for row in site.of(DEAL, ["contact"], "contact", known):
        needed[str(row["contact"])].add(str(row["name"]))
    staff = {str(row["name"]) for row in site.of(CONTACT, ["user"], "name", known) if row["user"]}
    organizations = _organizations(site, deals)
    for lead in names:
        mine = [name for name, of in by_name.items() if of == lead]
        told: list[Node] = [(DEAL, name) for name in mine] if "deals" in options.parts else []
        if "contacts" in options.parts:
            people = [name for name, of in contacts.items() if of & set(mine) and name not in staff]
            if any(not needed[name] <= set(mine) for name in people):
                parts[lead] = None
                continue
            told += [(CONTACT, name) for name in people]
        if "organizations" in options.parts:
            told += [(ORGANIZATION, name) for name, of in organizations.items() if of <= set(mine)]
        parts[lead] = told
    return parts


def _thrown_deals(site: Site, lead: str) -> list[Row]:
    """Deals of this lead that we ourselves have deleted, when a delete was cut short: their contacts may be left."""
    some = [["deleted_doctype", "=", DEAL], ["owner", "=", site.user()], ["data", "like", like(lead)]]
    found = []
    for row in site.rows("Deleted Document", ["data", "deleted_name"], some):
        data = read(row["data"])
        if str(data.get("lead")) == lead:
            people = [one.get("contact") for one in data.get("contacts") or () if isinstance(one, dict)]
            told = {
                "name": row["deleted_name"],
                "lead": lead,
                "contact": data.get("contact"),
                "organization": data.get("organization"),
            }
            found.append(told | {"contacts": [one for one in people if one]})
    return found


def blocked(site: Site, root: Node, going: Sequence[Node]) -> bool:
    """Whether a record that is not going points at this one, so that the site would refuse to delete it."""
    told = site.call("frappe.desk.form.linked_with.get", doctype=root[0], docname=root[1])
    linked = [
        (doctype, str(row.get("name")))
        for doctype, rows in (told or {}).items()
        if doctype not in IGNORED and isinstance(rows, list)
        for row in rows
        if isinstance(row, dict)
    ]
    return not set(linked) <= {*going, root}


def named_in(data: Row, options: FrappeOptions, lead: str) -> list[Node]:
    """What a copy in the trash names that goes with it: the parts of a deal of this lead, the note of a call."""
    if data.get("doctype") == "CRM Call Log" and data.get("note"):
        return [("FCRM Note", str(data["note"]))]
    if data.get("doctype") != DEAL or str(data.get("lead")) != lead:
        return []
    rows = [row for row in data.get("contacts") or [] if isinstance(row, dict)]
    people = {str(name) for name in (data.get("contact"), *(row.get("contact") for row in rows)) if name}
    told: list[Node] = [(CONTACT, name) for name in sorted(people)] if "contacts" in options.parts else []
    if "organizations" in options.parts and data.get("organization"):
        told.append((ORGANIZATION, str(data["organization"])))
    return told


def _contact_rows(site: Site, field: str, names: Sequence[str]) -> list[Row]:
    found = []
    try:
        for start in range(0, len(names), 100):
            some = [["parenttype", "=", DEAL], [field, "in", list(names[start : start + 100])]]
            found += [row for row in site.rows("CRM Contacts", ["parent", "contact"], some, parent=DEAL) if row["contact"]]
    except NoSuchDocType:
        return []
    return found


def _organizations(site: Site, deals: Sequence[Row]) -> dict[str, set[str]]:
    """The organizations of these deals, each with all deals that need it."""
    names = list(dict.fromkeys(str(deal["organization"]) for deal in deals if deal["organization"]))
    needed: dict[str, set[str]] = {name: set() for name in names}
    for row in site.of(DEAL, ["organization"], "organization", names):
        if str(row["organization"]) in needed:
            needed[str(row["organization"])].add(str(row["name"]))
    return needed
