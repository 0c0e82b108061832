"""One data set of files: its options made ready, and the one or two trees that it lives in. Reads only."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from retentiond.connector import ConnectorError, Target
from retentiond_files.addresses import Truncate, truncation
from retentiond_files.companions import accompanied
from retentiond_files.failures import Astray, system_error
from retentiond_files.options import Content, FilesConnection, FilesOptions, Format, Unit
from retentiond_files.patterns import Globs, Path, Selection
from retentiond_files.sidecar import Sidecar
from retentiond_files.tree import Found, Kind, Tree, open_tree


@dataclass(frozen=True, slots=True)
class Dataset:
    """What the roles share. Made by `open_dataset`; `close` gives the handles back."""

    target: Target
    options: FilesOptions
    selection: Selection
    """The files that are records, or hold them."""
    walked: Selection
    """These, and whatever goes with them."""
    live: Globs
    tree: Tree
    blocked: Tree | None
    """The directory that blocked files are moved to; None where the settings name none."""
    truncate: Truncate | None
    """What anonymizes a line; None where the settings prepare nothing."""

    def close(self) -> None:
        """Give the handles back; harmless when repeated."""
        self.tree.close()
        if self.blocked is not None:
            self.blocked.close()

    @property
    def by_line(self) -> bool:
        """True where a record is the lines of one hour, False where it is a file."""
        return self.options.record is Unit.LINE

    @property
    def yearless(self) -> bool:
        """True where lines tell no year."""
        return isinstance(self.options.source, Content) and self.options.source.format is Format.SYSLOG

    def walk(self) -> Iterator[Found]:
        """Everything included below the root; raises `ConnectorError` where a directory cannot be read."""
        aside = frozenset() if self.blocked is None else frozenset({(self.blocked.device, self.blocked.inode)})
        return self.tree.walk(self.walked, aside)

    def walk_blocked(self) -> Iterator[Found]:
        """The same among the blocked files; nothing where the settings name no directory for them."""
        if self.blocked is not None:
            yield from self.blocked.walk(self.walked, frozenset({(self.tree.device, self.tree.inode)}))

    def files(self, entered: Callable[[Tree, Found], None] = lambda _tree, _found: None) -> Iterator[tuple[Tree, Found]]:
        """Each file with the tree it lies in; where a name is taken in both, only the one below the root.

        `entered` is told each directory before its files.
        """
        walks = [(self.tree, self.walk())]
        if self.blocked is not None:
            walks.append((self.blocked, self.walk_blocked()))
        for tree, walk in walks:
            for found in walk:
                if found.kind is Kind.ENTERED:
                    entered(tree, found)
                elif found.kind is Kind.FILE and (tree is self.tree or not self.taken(found.path)):
                    yield tree, found

    def taken(self, path: Path) -> bool:
        """True where anything at all lies under the name below the root; raises `ConnectorError` where nobody can tell."""
        try:
            with self.tree.directory(path[:-1]) as above:
                os.stat(path[-1], dir_fd=above, follow_symlinks=False)
        except FileNotFoundError:
            return False
        except Astray:
            return True
        except OSError as error:
            raise system_error(error, f"A directory of {self.target} below {self.tree.place} cannot be looked at") from None
        return True

    @contextmanager
    def opened(self, path: Path) -> Iterator[tuple[Tree, int]]:
        """The file at `path`, below the root or else among the blocked, as its tree and a reading handle.

        Raises FileNotFoundError where it is in neither, `Astray` where something else lies there, PermissionError.
        """
        with ExitStack() as stack:
            try:
                found = self.tree, stack.enter_context(self.tree.file(path))
            except FileNotFoundError:
                if self.blocked is None:
                    raise
                found = self.blocked, stack.enter_context(self.blocked.file(path))
            yield found


def open_dataset(connection: FilesConnection, options: FilesOptions, target: Target) -> Dataset:
    """Open the directories; raise `ConnectorError` where one is missing, or blocked files would leave the file system."""
    tree = open_tree(connection.root)
    try:
        blocked = None if options.block is None else _open_blocked(options.block.moved_to, tree, target)
    except ConnectorError:
        tree.close()
        raise
    selection = Selection(Globs.of(options.include), Globs.of(options.exclude))
    told = options.source
    return Dataset(
        target=target,
        options=options,
        selection=selection,
        walked=accompanied(selection, options.include, told) if isinstance(told, Sidecar) else selection,
        live=Globs.of(options.live),
        tree=tree,
        blocked=blocked,
        truncate=None if options.anonymize is None else truncation(options.anonymize),
    )


def _open_blocked(place: str, tree: Tree, target: Target) -> Tree:
    blocked = open_tree(place)
    wrong = ""
    if blocked.device != tree.device:
        wrong = f"is on another file system than {tree.place}; name a directory on the same one"
    elif blocked.mount != tree.mount:
        wrong = (
            f"is mounted apart from {tree.place}, so that nothing can be moved between the two; "
            f"where a systemd unit does that, name one directory that holds both in its ReadWritePaths="
        )
    elif blocked.inode == tree.inode:
        wrong = "is the root itself; name another directory"
    if wrong:
        blocked.close()
        raise ConnectorError(f"The directory {place}, for blocked files of {target}, {wrong}.", "unsupported")
    return blocked
