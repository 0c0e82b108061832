"""Looks at a site before anything is done on it: the right site, its zone, what is hidden from us, and our rights."""

from __future__ import annotations

from retentiond.connector import Action, Finding
from retentiond_frappe.contact import tell
from retentiond_frappe.records import Dataset
from retentiond_frappe.remains import see_satellites
from retentiond_frappe.site import Site

PARTS = {"deals": "CRM Deal", "contacts": "Contact", "organizations": "CRM Organization"}


def preflight(site: Site, dataset: Dataset, action: Action) -> list[Finding]:
    """What would hinder `action`, or make it less than it says. Changes nothing."""
    options, found = dataset.options, []
    site.zone()
    site.see_all(options.doctype)
    narrowed = site.call("frappe.core.doctype.user_permission.user_permission.get_user_permissions")
    if narrowed:
        found.append(
            Finding(
                f"{dataset.who} narrows what our user may see by user permissions, so records would be missed without a word. "
                f"Remove them from that user."
            )
        )
    rows = []
    for row in site.rows(options.doctype, dataset.fields()):
        rows.append(row)
        break
    tell(site, dataset, rows)
    satellites = see_satellites(site)
    needed: list[tuple[str, str]] = []
    if action is Action.DELETE:
        parts = [PARTS[part] for part in options.parts]
        needed += [
            (doctype, "delete") for doctype in dict.fromkeys([options.doctype, *parts, *satellites]) if doctype != "Version"
        ]
    else:
        needed.append((options.doctype, "write"))
    if action is Action.ANONYMIZE:
        needed += [("Comment", "delete"), ("Deleted Document", "delete")]
    lacking = [f"{right} {doctype}" for doctype, right in needed if not site.may(doctype, right)]
    if lacking:
        found.append(
            Finding(
                f"Our user lacks rights on {dataset.who.lower()}: {', '.join(lacking)}. Give its role these, "
                f"else what hangs on a record would stay behind.",
                of_rights=True,
            )
        )
    return found + (_history(dataset) if action is Action.ANONYMIZE else [])


def _history(dataset: Dataset) -> list[Finding]:
    """The history of fields keeps every old value, and only a key of the administrator's may delete it."""
    if dataset.connection.administrator is None:
        what = f"Anonymizing {dataset.target} leaves the old values in the history of fields. Name a key under `administrator`."
        return [Finding(what, of_rights=True)]
    second = Site(dataset.connection, dataset.who, writes=False, administrator=True)
    try:
        if second.may("Version", "delete"):
            return []
    finally:
        second.close()
    what = f"The key under `administrator` may not delete the history of fields on {dataset.who.lower()}. Give it that right."
    return [Finding(what, of_rights=True)]
