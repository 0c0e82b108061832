"""Deletes and blocks a document with its parts and its sidecar; whatever interrupts it, what is left is found again."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from retentiond.connector import Answer, Answered, OutcomeUnknownError, RecordRef
from retentiond_files.bundle import (
    NO_STAMP,
    Bundle,
    Member,
    assemble,
    is_rest_of,
    reference,
    source_of,
    stamps_in,
)
from retentiond_files.bundles import NO_SUCH_NAME, Survey, stamps_there, survey, trees
from retentiond_files.companions import names_of
from retentiond_files.dataset import Dataset
from retentiond_files.failures import Astray, code_of
from retentiond_files.keys import path_of
from retentiond_files.patterns import Path
from retentiond_files.removal import Act, InHand, move_to, unlink
from retentiond_files.session import is_live
from retentiond_files.telling import told_by
from retentiond_files.tree import Tree, open_plain, same


class _HalfDone(Exception):
    """Some files of a record went, and the next one did not. Never leaves this module."""


def delete_bundles(dataset: Dataset, refs: Sequence[RecordRef]) -> list[Answer]:
    """Unlink the document, its parts, and last its sidecar, of each record; one answer per record, in order.

    As long as the sidecar is there the record is, and is found by its dates: an act that was cut off is completed by the next.
    Raises `OutcomeUnknownError` where a record is gone in part, once all others were dealt with.
    """
    return _each(dataset, refs, unlink, trees(dataset))


def block_bundles(dataset: Dataset, refs: Sequence[RecordRef], blocked: Tree) -> list[Answer]:
    """Move them below `blocked` in the same order; the same promises. A record is blocked once all of it is there."""
    return _each(dataset, refs, move_to(blocked), [dataset.tree])


def _each(dataset: Dataset, refs: Sequence[RecordRef], act: Act, within: Sequence[Tree]) -> list[Answer]:
    found = survey(dataset)
    answers: list[Answer] = []
    half = 0
    for ref in refs:
        try:
            answers.append(_one(dataset, found, ref, act, within))
        except _HalfDone:
            half += 1
    if half:
        raise OutcomeUnknownError(
            f"{half:,} records of {dataset.target} are gone from their place in part only; what is left of them is found again, "
            f"and the next run completes it. See that retentiond's user may change all directories below {dataset.tree.place}.",
            "refused",
        )
    return _renamed(dataset, refs, answers, within)


def _renamed(dataset: Dataset, refs: Sequence[RecordRef], answers: Sequence[Answer], within: Sequence[Tree]) -> list[Answer]:
    """`changed` is the answer for what is only gone from its name."""
    gone = {one for ref, answer in zip(refs, answers, strict=True) if answer == _GONE for one in stamps_in(ref.fingerprint)}
    there = stamps_there(dataset, gone, within)
    return [
        Answer.changed() if answer == _GONE and not there.isdisjoint(stamps_in(ref.fingerprint)) else answer
        for ref, answer in zip(refs, answers, strict=True)
    ]


_GONE = Answer.not_found()


def _one(dataset: Dataset, found: Survey, ref: RecordRef, act: Act, within: Sequence[Tree]) -> Answer:
    document = path_of(ref.key[0]) if len(ref.key) == 1 else None
    if document is None or not dataset.selection.file(document):
        return _GONE
    try:
        with _in_hand(dataset, document) as hands:
            going = [hand for hand in hands if hand.tree in within]
            if not going:
                return _GONE
            return _checked(dataset, found, ref, hands, going) or _go(going, act)
    except (Astray, FileNotFoundError):
        return Answer.changed()
    except OSError as error:
        return Answer.failed(code_of(error))


@contextmanager
def _in_hand(dataset: Dataset, document: Path) -> Iterator[list[InHand]]:
    """All files of the record, each held open with its directory, in the order in which they go."""
    with ExitStack() as stack:
        hands = []
        for path in names_of(source_of(dataset), document):
            for tree in trees(dataset):
                try:
                    above = stack.enter_context(tree.directory(path[:-1]))
                    handle = open_plain(path[-1], above, tree)
                except OSError as error:
                    if error.errno in NO_SUCH_NAME:
                        continue
                    raise
                stack.callback(os.close, handle)
                hands.append(InHand(tree, above, path[-1], path, handle, os.fstat(handle)))
        yield hands


def _checked(dataset: Dataset, found: Survey, ref: RecordRef, hands: Sequence[InHand], going: Sequence[InHand]) -> Answer | None:
    """What is in the way; None where the record is what was found, and may go."""
    bundle = _bundle(dataset, ref, hands)
    sidecar = next((hand for hand in hands if bundle.sidecar is not None and hand.state is bundle.sidecar.state), None)
    if sidecar is None:
        return Answer.changed()
    now = reference(dataset, bundle, told_by(source_of(dataset), sidecar.handle))
    if now.fingerprint != ref.fingerprint and not (is_rest_of(now, ref) and _went(dataset, ref)):
        return Answer.changed()
    if bundle.doubled:
        return Answer.failed("constraint")
    if found.shared(bundle):
        return Answer.failed("referenced")
    if any(hand.state.st_nlink != 1 for hand in going):
        return Answer.failed("unsupported")
    if any(is_live(dataset, hand.path, hand.handle) for hand in going):
        return Answer.failed("refused")
    return None if all(map(_still, going)) else Answer.changed()


def _bundle(dataset: Dataset, ref: RecordRef, hands: Sequence[InHand]) -> Bundle:
    members = [Member(hand.path, hand.state, hand.tree is dataset.blocked) for hand in hands]
    document = path_of(ref.key[0]) or ()
    return assemble(source_of(dataset), document, lambda path: [one for one in members if one.path == path])


def _went(dataset: Dataset, ref: RecordRef) -> bool:
    """True where the document that was found is there under no other name."""
    document, _ = stamps_in(ref.fingerprint)
    return document != NO_STAMP and not stamps_there(dataset, {document}, trees(dataset))


def _still(hand: InHand) -> bool:
    try:
        return same(os.stat(hand.name, dir_fd=hand.above, follow_symlinks=False), hand.state)
    except FileNotFoundError:
        return False


def _go(going: Sequence[InHand], act: Act) -> Answer:
    """Act on one file after the other, each durable before the next. Raises `_HalfDone` once the first one went, or may have."""
    for number, hand in enumerate(going):
        try:
            answer = act(hand)
        except (OSError, Astray):
            if number or not _still(hand):
                raise _HalfDone from None
            raise
        if answer.said is not Answered.DONE:
            if number or not _still(hand):
                raise _HalfDone
            return answer
    return Answer.done(answer.how, len(going) if len(going) > 1 else None)
