"""Looks at the sidecars of a data set before anything is done to it. Reads only, and names no file."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from retentiond.connector import Finding
from retentiond_files.bundle import Bundle, assemble, source_of
from retentiond_files.bundles import Survey
from retentiond_files.dataset import Dataset
from retentiond_files.telling import Told


def checks(dataset: Dataset, found: Survey, told: Callable[[Bundle], Told]) -> Iterator[Finding]:
    """What a person should know of the sidecars: missing, unreadable, left alone, and those that two records share a file of."""
    source, target, place = source_of(dataset), dataset.target, dataset.tree.place
    missing = unclear = orphans = shared = 0
    for document in found.documents:
        bundle = assemble(source, document, found.look)
        missing += bundle.sidecar is None
        unclear += not told(bundle).clear
        orphans += bundle.written is None
        shared += found.shared(bundle)
    if missing:
        yield Finding(
            f"{missing:,} documents of {target} below {place} have no sidecar, so nobody knows their dates and they stay; "
            f"write one for each, called as the document with {source.suffix} added.",
            refuses=False,
        )
    if unclear:
        yield Finding(
            f"{unclear:,} sidecars of {target} below {place} are no JSON object, or hold no identifier where one should be; "
            f"whom their documents are about cannot be searched, and without a date they stay. Mend them.",
            refuses=False,
        )
    if orphans:
        yield Finding(
            f"{orphans:,} sidecars of {target} below {place} have no document, as after an interrupted act; they are records, "
            f"and go by their own dates. Put their documents back where they belong to some.",
            refuses=False,
        )
    if shared:
        yield Finding(
            f"{shared:,} records of {target} below {place} share a file with another one, so that neither can go without "
            f"the other; they are left alone and count as failed once they are due. Give their parts names of their own, "
            f"such as {{name}}.txt.",
            refuses=False,
        )
