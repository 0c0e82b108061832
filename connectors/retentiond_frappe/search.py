"""Finds records on the site: live ones, and those that lie in its trash because a delete of ours was cut short."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta

from retentiond.connector import Cutoff
from retentiond_frappe.contact import tell
from retentiond_frappe.options import TABLES, OwnDate
from retentiond_frappe.records import Dataset, Found, make
from retentiond_frappe.site import CHUNK, Row, Site
from retentiond_frappe.trash import TRASH, read

MARGIN = timedelta(days=2)
"""By so much a search on the server goes further than asked: zones and double hours are decided here."""


def scan(site: Site, dataset: Dataset, cutoff: Cutoff | None = None) -> Iterator[Found]:
    """All records of the data set; with a cutoff at least those before it. The trash holds those that we ourselves deleted."""
    site.see_all(dataset.options.doctype)
    filters = [] if cutoff is None else _bound(site, dataset, cutoff)
    some: list[Row] = []
    for row in site.rows(dataset.options.doctype, dataset.fields(), filters):
        if not dataset.holds(row):
            continue
        some.append(row)
        if len(some) == CHUNK:
            yield from complete(site, dataset, some)
            some = []
    yield from complete(site, dataset, some)
    site.see_all(TRASH)
    thrown = trash(site, dataset, [["owner", "=", site.user()]])
    live = {str(row["name"]) for row in site.of(dataset.options.doctype, [], "name", [name for name, _ in thrown])}
    yield from _thrown(site, dataset, {one: copies for one, copies in thrown.items() if one[0] not in live})


def lookup(
    site: Site, dataset: Dataset, keys: Sequence[tuple[str, ...]]
) -> tuple[dict[str, Found], dict[tuple[str, str], Found]]:
    """The live records of these keys by name, and those in the trash (whoever deleted them) by name and creation."""
    names = list(dict.fromkeys(key[0] for key in keys if len(key) == 1))
    site.see_all(dataset.options.doctype)
    site.see_all(TRASH)
    rows = [row for row in site.of(dataset.options.doctype, dataset.fields(), "name", names) if str(row["name"]) in set(names)]
    live = {found.ref.key[0]: found for found in complete(site, dataset, rows, every=True)}
    thrown: dict[tuple[str, str], list[Row]] = {}
    for start in range(0, len(names), CHUNK):
        thrown |= trash(site, dataset, [["deleted_name", "in", names[start : start + CHUNK]]])
    dead = {(name, creation): copies for (name, creation), copies in thrown.items() if not _same(live.get(name), creation)}
    return live, {(found.ref.key[0], found.ref.identity[0]): found for found in _thrown(site, dataset, dead, every=True)}


def complete(site: Site, dataset: Dataset, rows: Sequence[Row], *, every: bool = False) -> list[Found]:
    """The records of these rows, with what others tell of them; `every` keeps those that are none of the data set."""
    if not rows:
        return []
    identifiers: dict[str, list[tuple[str, object]]] = defaultdict(list)
    for table in dict.fromkeys(dataset.tables()):
        doctype, field = TABLES[table]
        names = [str(row["name"]) for row in rows]
        for start in range(0, len(names), CHUNK):
            some = [["parenttype", "=", dataset.options.doctype], ["parent", "in", names[start : start + CHUNK]]]
            for row in site.rows(doctype, ["parent", field], some, parent=dataset.options.doctype):
                identifiers[str(row["parent"])].append((table, row[field]))
    return _made(site, dataset, rows, identifiers, every=every)


def trash(site: Site, dataset: Dataset, filters: Sequence[Sequence[object]]) -> dict[tuple[str, str], list[Row]]:
    """Copies in the trash, by the name and the creation of what was deleted. One that cannot be read is of no creation."""
    found: dict[tuple[str, str], list[Row]] = defaultdict(list)
    wanted = [["deleted_doctype", "=", dataset.options.doctype], *filters]
    for row in site.rows(TRASH, ["deleted_name", "data", "restored"], wanted):
        data = read(row["data"])
        found[str(row["deleted_name"]), str(data.get("creation") or "")].append(row | {"data": data})
    return found


def _thrown(site: Site, dataset: Dataset, thrown: dict[tuple[str, str], list[Row]], *, every: bool = False) -> Iterator[Found]:
    identifiers: dict[str, list[tuple[str, object]]] = {}
    rows, copies = [], list(thrown.values())
    for (name, _), some in thrown.items():
        data = some[-1]["data"]
        row = {field: data.get(field) for field in ["creation", *dataset.fields()]} | {"name": name}
        tables = [(table, one) for table in dataset.tables() for one in data.get(table) or [] if isinstance(one, dict)]
        identifiers[name] = [(table, one.get(TABLES[table][1])) for table, one in tables]
        rows.append(row)
    for start in range(0, len(rows), CHUNK):
        some_rows = rows[start : start + CHUNK]
        for found, mine in zip(
            _made(site, dataset, some_rows, identifiers, every=True), copies[start : start + CHUNK], strict=True
        ):
            restored = any(one["restored"] for one in mine)
            if every or (dataset.holds(found.row) and not restored):
                yield replace(found, trash=tuple(str(one["name"]) for one in mine), restored=restored)


def _made(
    site: Site, dataset: Dataset, rows: Sequence[Row], identifiers: dict[str, list[tuple[str, object]]], *, every: bool
) -> list[Found]:
    made = []
    for row, told in zip(rows, tell(site, dataset, rows), strict=True):
        if every or dataset.options.answered in {None, told.answered}:
            made.append(make(dataset, row, site.zone(), told, identifiers.get(str(row["name"]), ())))
    return made


def _bound(site: Site, dataset: Dataset, cutoff: Cutoff) -> list[list[object]]:
    """What the server is asked for: too much rather than too little, and records without a date as it likes."""
    option = dataset.options.dates.get(cutoff.by)
    if not isinstance(option, OwnDate):
        return []
    if option.day:
        return [] if cutoff.before_date.year > 9000 else [[option.field, "<", (cutoff.before_date + MARGIN).isoformat()]]  # noqa: PLR2004
    return [[option.field, "<", site.wall(cutoff.before, MARGIN)]]


def _same(found: Found | None, creation: str) -> bool:
    return found is not None and found.ref.identity == (creation,)
