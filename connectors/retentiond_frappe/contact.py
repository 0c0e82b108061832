"""What other records tell of one: the last contact, whether anybody answered, dates of the record it refers to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime

from retentiond.connector import Moment
from retentiond_frappe.options import Newest, ReferencedDate, rivals
from retentiond_frappe.records import Dataset, Told, moment
from retentiond_frappe.site import NoSuchDocType, Row, Site

ARRIVED = {"Received", "Incoming"}
"""What e-mails and calls are called that came in."""

ASKED = ("Communication", "CRM Call Log", "CRM Deal")
"""The DocTypes that tell of contact; each has to be seen whole."""


def asks_contact(dataset: Dataset) -> bool:
    """Whether the data set asks for e-mails and calls at all."""
    near = any(rival.answered is not None for rival in rivals(dataset.options))
    return (
        near or dataset.options.answered is not None or any(isinstance(told, Newest) for told in dataset.options.dates.values())
    )


def tell(site: Site, dataset: Dataset, rows: Sequence[Row]) -> list[Told]:
    """What others tell of each of these records, asked now."""
    seen = _contacts(site, dataset, rows) if asks_contact(dataset) else {}
    told = []
    referenced = {
        name: _referenced(site, one, rows) for name, one in dataset.options.dates.items() if isinstance(one, ReferencedDate)
    }
    for number, row in enumerate(rows):
        contacts, answered = seen.get(str(row["name"]), ([], False))
        dates: dict[str, Moment | None] = {name: moments[number] for name, moments in referenced.items()}
        for name, option in dataset.options.dates.items():
            if isinstance(option, Newest):
                other = moment(row.get(option.otherwise), site.zone()) if option.otherwise else None
                dates[name] = max((*contacts, *([other] if isinstance(other, datetime) else [])), default=None)
        told.append(Told(dates, answered))
    return told


def _contacts(site: Site, dataset: Dataset, rows: Sequence[Row]) -> dict[str, tuple[list[datetime], bool]]:
    """By the record's name: when there was contact, and whether any came in."""
    for doctype in ASKED:
        site.whole(doctype)
    found: dict[str, tuple[list[datetime], bool]] = defaultdict(lambda: ([], False))

    def add(name: str, at: object, *, arrived: bool) -> None:
        known = moment(at, site.zone())
        times, before = found[name]
        found[name] = ([*times, *([known] if isinstance(known, datetime) else [])], before or arrived)

    names = [str(row["name"]) for row in rows]
    for name, at, arrived in _linked(site, dataset.options.doctype, names):
        add(name, at, arrived=arrived)
    if dataset.options.doctype == "CRM Lead":
        deals = {str(deal["name"]): deal for deal in _some(site, "CRM Deal", ["lead"], "lead", names)}
        for deal in deals.values():
            add(str(deal["lead"]), deal["creation"], arrived=False)
        for name, at, arrived in _linked(site, "CRM Deal", list(deals)):
            add(str(deals[name]["lead"]), at, arrived=arrived)
    return found


def _linked(site: Site, doctype: str, names: Sequence[str]) -> Iterator[tuple[str, object, bool]]:
    mails = ["reference_name", "communication_date", "sent_or_received"]
    for row in _some(site, "Communication", mails, "reference_name", names, [["reference_doctype", "=", doctype]]):
        yield str(row["reference_name"]), row["communication_date"] or row["creation"], row["sent_or_received"] in ARRIVED
    calls = ["reference_docname", "start_time", "type"]
    for row in _some(site, "CRM Call Log", calls, "reference_docname", names, [["reference_doctype", "=", doctype]]):
        yield str(row["reference_docname"]), row["start_time"] or row["creation"], row["type"] in ARRIVED
    links = {}
    for start in range(0, len(names), 100):
        some = [["link_doctype", "=", doctype], ["link_name", "in", list(names[start : start + 100])]]
        for row in site.rows("Communication Link", ["parent", "link_name"], some, parent="Communication"):
            links[str(row["parent"])] = str(row["link_name"])
    for row in site.of("Communication", ["communication_date", "sent_or_received"], "name", list(links)):
        yield links[str(row["name"])], row["communication_date"] or row["creation"], row["sent_or_received"] in ARRIVED


def _some(
    site: Site, doctype: str, fields: Sequence[str], field: str, names: Sequence[str], filters: Sequence[Sequence[object]] = ()
) -> Iterator[Row]:
    """As `Site.of`; nothing where the site has no such DocType."""
    try:
        yield from site.of(doctype, fields, field, names, filters)
    except NoSuchDocType:
        return


def _referenced(site: Site, option: ReferencedDate, rows: Sequence[Row]) -> list[Moment | None]:
    wanted: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        if row.get("reference_doctype") in option.referenced and row.get("reference_name"):
            wanted[row["reference_doctype"]].add(str(row["reference_name"]))
    known: dict[tuple[str, str], Moment | None] = {}
    for doctype, names in wanted.items():
        site.see_all(doctype)
        field = option.referenced[doctype]
        for other in site.of(doctype, [field], "name", sorted(names)):
            known[doctype, str(other["name"])] = moment(other[field], site.zone(), day=option.day)
    return [known.get((str(row.get("reference_doctype")), str(row.get("reference_name")))) for row in rows]
