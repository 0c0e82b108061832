"""What another data set of the site claims: it has a rule of its own, and must not go along with something else."""

from __future__ import annotations

from collections.abc import Sequence

from retentiond_frappe.options import FrappeOptions, kept
from retentiond_frappe.records import fits
from retentiond_frappe.remains import Node
from retentiond_frappe.site import Site


def claimed(site: Site, options: FrappeOptions, nodes: Sequence[Node]) -> set[Node]:
    """Those of the nodes that belong to another data set. When in doubt they do."""
    found: set[Node] = set()
    for one in kept(options):
        names = list(dict.fromkeys(name for doctype, name in nodes if doctype == one.doctype))
        if names:
            rows = site.of(one.doctype, list(one.only), "name", names)
            found |= {(one.doctype, str(row["name"])) for row in rows if fits(row, one.only)}
    return found
