"""Looks at a data set before anything is done to it: rights, traps, leftovers. Reads only, and names no file."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Iterator

from retentiond.connector import Action, ConnectorError, Finding
from retentiond_files.dataset import Dataset
from retentiond_files.failures import Astray, system_error
from retentiond_files.options import Content
from retentiond_files.patterns import Path
from retentiond_files.session import leftovers
from retentiond_files.tree import Kind


def preflight(dataset: Dataset, action: Action) -> list[Finding]:
    """What a person should know before `action`; those that refuse must be mended first."""
    try:
        return [*_tree(dataset, action), *_blocked(dataset, action)]
    except ConnectorError as error:
        return [Finding(str(error))]
    except OSError as error:
        return [Finding(str(system_error(error, f"The directory {dataset.tree.place} cannot be looked at")))]


def _tree(dataset: Dataset, action: Action) -> Iterator[Finding]:
    place, target = dataset.tree.place, dataset.target
    kinds: Counter[Kind] = Counter()
    linked = unreadable = live = largest = 0
    directories: set[Path] = set()
    for found in dataset.walk():
        kinds[found.kind] += 1
        if found.kind is not Kind.FILE:
            continue
        directories.add(found.path[:-1])
        linked += found.stat.st_nlink > 1
        live += dataset.live.match(found.path)
        largest = max(largest, found.stat.st_size)
        unreadable += isinstance(dataset.options.source, Content) and not _allowed(dataset, found.path, os.R_OK)
    closed = sum(not _writable(dataset, path) for path in directories)

    room = os.fstatvfs(dataset.tree.handle)
    if room.f_flag & os.ST_RDONLY:
        yield Finding(
            f"{place} is on a file system that is mounted read-only, so nothing of {target} can be changed; mount it writable.",
            of_rights=True,
        )
    if closed:
        yield Finding(
            f"{closed:,} directories of {target} below {place} may not be written to, so nothing in them can be changed; "
            f"give retentiond's user the right to write and enter them.",
            of_rights=True,
        )
    if not kinds[Kind.FILE] and not any(True for _ in dataset.walk_blocked()):
        yield Finding(f"No file below {place} is included in {target}; look whether the patterns are meant so.", refuses=False)
    if dataset.options.live and not live:
        yield Finding(f"No file of {target} matches a `live` pattern; look whether they are meant so.", refuses=False)
    if linked:
        yield Finding(
            f"{linked:,} files of {target} have further hard links, through which their content would stay; they are left alone "
            f"and count as failed once they are due. Remove the other links.",
            refuses=False,
        )
    if unreadable:
        yield Finding(
            f"{unreadable:,} files of {target} may not be read, so their lines cannot be dated and they stay; "
            f"give retentiond's user the right to read them.",
            refuses=False,
        )
    if dataset.by_line and largest > room.f_bavail * room.f_frsize:
        yield Finding(f"{place} has less room left than the largest file of {target}, which a rewrite needs.", refuses=False)
    yield from _strange(dataset, kinds)
    if action is Action.ANONYMIZE and dataset.truncate is None:
        yield Finding(f"The options of {target} do not say how to anonymize; add anonymize.")


def _strange(dataset: Dataset, kinds: Counter[Kind]) -> Iterator[Finding]:
    place, target = dataset.tree.place, dataset.target
    if kinds[Kind.SYMLINK]:
        yield Finding(
            f"{kinds[Kind.SYMLINK]:,} symlinks below {place} are not followed; what they point at is no part of {target}.",
            refuses=False,
        )
    if kinds[Kind.SPECIAL]:
        yield Finding(f"{kinds[Kind.SPECIAL]:,} pipes, sockets or devices below {place} are no part of {target}.", refuses=False)
    if kinds[Kind.FOREIGN]:
        yield Finding(
            f"{kinds[Kind.FOREIGN]:,} directories or files below {place} are on another file system, or mounted from elsewhere, "
            f"and nobody looks at what lies in them; exclude them from {target}, and make each a system of its own."
        )
    if kinds[Kind.KEPT]:
        yield Finding(
            f"{kinds[Kind.KEPT]:,} files below {place} lost their names in a rotation, are called .retentiond-….tmp.kept "
            f"and are no part of {target}; give them their names back.",
            refuses=False,
        )
    if strays := leftovers(dataset):
        yield Finding(
            f"{len(strays):,} leftovers of an interrupted act lie below {place} and hold old content; "
            f"the next act on {target} removes them.",
            refuses=False,
        )


def _blocked(dataset: Dataset, action: Action) -> Iterator[Finding]:
    blocked, target = dataset.blocked, dataset.target
    if blocked is None:
        if action is Action.BLOCK:
            yield Finding(f"The options of {target} name no directory for blocked files; add block.moved_to.")
        return
    state = os.fstat(blocked.handle)
    if stat.S_IMODE(state.st_mode) != stat.S_IRWXU or state.st_uid != os.geteuid():
        yield Finding(
            f"{blocked.place} must belong to retentiond's user and have mode 0700, "
            f"so that nobody else reads what {target} has blocked."
        )
    doubled = sum(found.kind is Kind.FILE and dataset.taken(found.path) for found in dataset.walk_blocked())
    if doubled:
        yield Finding(
            f"{doubled:,} blocked files of {target} have names that are in use again below {dataset.tree.place}, so that the two "
            f"cannot be told apart; rename the blocked ones in {blocked.place}."
        )


def _allowed(dataset: Dataset, path: Path, right: int) -> bool:
    try:
        with dataset.tree.directory(path[:-1]) as above:
            return os.access(path[-1], right, dir_fd=above, effective_ids=True)
    except (FileNotFoundError, Astray):
        return True


def _writable(dataset: Dataset, path: Path) -> bool:
    try:
        with dataset.tree.directory(path) as handle:
            return os.access(".", os.W_OK | os.X_OK, dir_fd=handle, effective_ids=True)
    except (FileNotFoundError, Astray):
        return True
