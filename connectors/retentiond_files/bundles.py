"""Which bundles there are: all of them by one walk, or one by its name."""

from __future__ import annotations

import errno
import os
import stat
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

from retentiond_files.bundle import NO_STAMP, Bundle, Member, assemble, source_of
from retentiond_files.companions import document_of, names_of
from retentiond_files.dataset import Dataset
from retentiond_files.failures import Astray
from retentiond_files.patterns import Path
from retentiond_files.records import stamp_of
from retentiond_files.renamed import Files, settled
from retentiond_files.tree import Found, Kind, Tree

NO_SUCH_NAME = frozenset({errno.ENOENT, errno.ENAMETOOLONG})
"""Nothing lies there, and under a name that is too long nothing can."""

_THERE = frozenset({Kind.FILE, Kind.STRAY, Kind.KEPT})


@dataclass(frozen=True, slots=True)
class Survey:
    """What one walk came upon."""

    lies: dict[Path, list[Member]]
    holders: Counter[Path]
    """How many records with a sidecar each file belongs to; more than one, and none of them is acted on."""
    documents: list[Path]
    """The names of all records."""

    def look(self, path: Path) -> Sequence[Member]:
        """What was found under the name."""
        return self.lies.get(path, ())

    def shared(self, bundle: Bundle) -> bool:
        """True where a file of the bundle belongs to another record, too."""
        return any(self.holders[member.path] > 1 for member in bundle.members)


def survey(dataset: Dataset) -> Survey:
    """Walk both trees; raises `ConnectorError` where a directory cannot be read.

    A record is what has a sidecar, and each included file that is neither a sidecar nor a part of such a record.
    """
    source, lies = source_of(dataset), dict[Path, list[Member]]()
    for tree, found in everything(dataset):
        if found.kind is Kind.FILE:
            lies.setdefault(found.path, []).append(Member(found.path, found.stat, tree is dataset.blocked))
    told = [one for path in lies if (one := document_of(source, path)) is not None and dataset.selection.file(one)]
    holders = Counter(path for document in told for path in names_of(source, document))
    alone = [path for path in lies if path not in holders and dataset.selection.file(path)]
    return Survey(lies, holders, told + alone)


def everything(dataset: Dataset, entered: Callable[[Tree, Found], None] = lambda _tree, _found: None) -> Files:
    """All files below the root and among the blocked, leftovers of an interrupted act among them."""
    walks: list[tuple[Tree, Iterator[Found]]] = [(dataset.tree, dataset.walk())]
    if dataset.blocked is not None:
        walks.append((dataset.blocked, dataset.walk_blocked()))
    for tree, walk in walks:
        for found in walk:
            if found.kind is Kind.ENTERED:
                entered(tree, found)
            elif found.kind in _THERE:
                yield tree, found


def look_up(dataset: Dataset, path: Path) -> list[Member]:
    """What lies under a name now. Raises `Astray` where it is no plain file, and OSError where nobody can tell."""
    lies = []
    for tree in trees(dataset):
        try:
            with tree.directory(path[:-1]) as above:
                state = os.stat(path[-1], dir_fd=above, follow_symlinks=False)
        except OSError as error:
            if error.errno in NO_SUCH_NAME:
                continue
            raise
        if not stat.S_ISREG(state.st_mode):
            raise Astray
        lies.append(Member(path, state, tree is dataset.blocked))
    return lies


def bundle_at(dataset: Dataset, document: Path) -> Bundle:
    """What is there now of the record of this name; raises as `look_up`."""
    return assemble(source_of(dataset), document, lambda path: look_up(dataset, path))


def trees(dataset: Dataset) -> list[Tree]:
    """The root, then where blocked files lie."""
    return [tree for tree in (dataset.tree, dataset.blocked) if tree is not None]


def stamps_there(dataset: Dataset, stamps: Collection[str], within: Collection[Tree]) -> set[str]:
    """Those stamps whose file is there under any name, also under the temporary one it has while it is being deleted."""
    wanted = set(stamps) - {NO_STAMP}

    def look(files: Files) -> set[str]:
        return wanted & {stamp_of(found.stat) for tree, found in files if tree in within}

    return settled(dataset, look, lambda entered: everything(dataset, entered)) if wanted else set()
