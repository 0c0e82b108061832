"""Deletes whole files, and moves them to where blocked files lie."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from retentiond.connector import Answer, How, OutcomeUnknownError, RecordRef
from retentiond_files.dataset import Dataset
from retentiond_files.exchange import NotOffered, move_to_free_name, unlink_only
from retentiond_files.failures import Astray, code_of, reason_of
from retentiond_files.keys import path_of
from retentiond_files.patterns import Path
from retentiond_files.records import file_row
from retentiond_files.session import is_live
from retentiond_files.tree import Tree, open_plain, same


@dataclass(frozen=True, slots=True)
class InHand:
    """One file that may be acted on: it is what was found, and no other name leads to it."""

    tree: Tree
    above: int
    """The handle of its directory."""
    name: str
    path: Path
    handle: int
    """The handle of the file."""
    state: os.stat_result


Act = Callable[[InHand], Answer]


def each_file(dataset: Dataset, refs: Sequence[RecordRef], act: Act, *, blocked_too: bool) -> list[Answer]:
    """Let `act` loose on each file that is still what was found; one answer per record, in order.

    Raises `OutcomeUnknownError` where the disk does not confirm what was done.
    """
    trees = [dataset.tree, *([dataset.blocked] if dataset.blocked is not None and blocked_too else [])]
    return [_one_file(dataset, trees, ref, act) for ref in refs]


def _one_file(dataset: Dataset, trees: Sequence[Tree], ref: RecordRef, act: Act) -> Answer:
    path = path_of(ref.key[0]) if len(ref.key) == 1 else None
    if path is None or not dataset.selection.file(path):
        return Answer.not_found()
    for tree in trees:
        try:
            with tree.directory(path[:-1]) as above, _in_hand(tree, above, path) as found:
                return _checked(dataset, ref, found, act)
        except FileNotFoundError:
            continue
        except Astray:
            return Answer.changed()
        except OSError as error:
            return Answer.failed(code_of(error))
    return Answer.not_found()


@contextmanager
def _in_hand(tree: Tree, above: int, path: Path) -> Iterator[InHand]:
    handle = open_plain(path[-1], above, tree)
    try:
        yield InHand(tree, above, path[-1], path, handle, os.fstat(handle))
    finally:
        os.close(handle)


def _checked(dataset: Dataset, ref: RecordRef, found: InHand, act: Act) -> Answer:
    row = file_row(dataset, found.path, found.state, found.handle, blocked=found.tree is dataset.blocked)
    if row.fingerprint != ref.fingerprint or row.moment is None:
        return Answer.changed()
    if found.state.st_nlink != 1:
        return Answer.failed("unsupported")
    if is_live(dataset, found.path, found.handle):
        return Answer.failed("refused")
    with suppress(FileNotFoundError):
        if same(os.stat(found.name, dir_fd=found.above, follow_symlinks=False), found.state):
            return act(found)
    return Answer.changed()


def unlink(found: InHand) -> Answer:
    """Take the file away and make that durable."""
    if not unlink_only(found.above, found.name, found.state):
        return Answer.changed()
    _durably(found.tree, found.above)
    return Answer.done(How.UNLINK) if os.fstat(found.handle).st_nlink == 0 else Answer.failed("refused")


def move_to(blocked: Tree) -> Act:
    """What moves a file below `blocked`, under the same path; a taken name there is never replaced."""

    def move(found: InHand) -> Answer:
        with _made_directory(blocked, found.path[:-1]) as target:
            try:
                move_to_free_name(found.above, found.name, target, found.name)
            except FileExistsError:
                return Answer.failed("constraint")
            except NotOffered:
                return Answer.failed("unsupported")
            _durably(blocked, target)
            _durably(found.tree, found.above)
            if same(os.stat(found.name, dir_fd=target, follow_symlinks=False), found.state):
                return Answer.done(How.UNLINK)
            move_to_free_name(target, found.name, found.above, found.name)  # a rotation came in between
            return Answer.changed()

    return move


@contextmanager
def _made_directory(tree: Tree, path: Path) -> Iterator[int]:
    for length in range(1, len(path) + 1):
        with tree.directory(path[: length - 1]) as above, suppress(FileExistsError):
            os.mkdir(path[length - 1], 0o700, dir_fd=above)
            os.fsync(above)
    with tree.directory(path) as handle:
        yield handle


def _durably(tree: Tree, directory: int) -> None:
    try:
        os.fsync(directory)
    except OSError as error:
        raise OutcomeUnknownError(
            f"A directory below {tree.place} was changed, but the disk did not confirm it ({reason_of(error)}); "
            f"look at the state of that disk.",
            code_of(error),
        ) from None
