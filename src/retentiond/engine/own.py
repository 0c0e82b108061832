"""What retentiond itself keeps, found and deleted like the records of any other system: requests and the suppression list.

Of the deletion log there is nothing to find record by record: its rule is applied by `pruning.py`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime
from itertools import islice

from retentiond.connector.api import Answer, Blocker, Connector, Deleter, Finding, Reader
from retentiond.connector.own import DATES, NAME, OwnDataset, own_connector
from retentiond.engine.evidence import existing_store
from retentiond.model.record import Action, Cutoff, How, Presence, RecordRef, Target
from retentiond.model.request import closed_at
from retentiond.settings import Settings
from retentiond.store import Store

PAGE = 1000


def with_own(available: Mapping[str, Connector], settings: Settings) -> dict[str, Connector]:
    """These connectors, and the one for what retentiond keeps, which reaches the store of these settings."""
    return {
        **available,
        NAME: own_connector(
            lambda _connection, options, _target: _OwnReader(settings, options),
            lambda _connection, options, target: _OwnDeleter(settings, options, target),
            lambda _connection, _options, target: _OwnBlocker(target),
        ),
    }


class _OwnReader(Reader):
    """Reads the store; before the first run there is nothing."""

    def __init__(self, settings: Settings, options: OwnDataset) -> None:
        self._options = options
        self._open = ExitStack()
        self._store = self._open.enter_context(existing_store(settings))

    def close(self) -> None:
        """Give the store free."""
        self._open.close()

    def preflight(self, action: Action) -> list[Finding]:
        """Say who does the work where no role does."""
        del action
        if self._options.kind != "deletion-log":
            return []
        what = "The deletion log is pruned by runs, or by `retentiond audit prune`, which shows what would go."
        return [Finding(what, refuses=False)]

    def count(self) -> int:
        """How many there are; entries of the log are none that are looked for one by one."""
        return len(self._refs())

    def find(self, cutoff: Cutoff, awaiting: Action) -> Iterator[Sequence[RecordRef]]:
        """Those before the cutoff, oldest first. All are out of reach of normal work, so none awaits being blocked."""
        due = [ref for ref in self._refs() if cutoff.admits(ref.dates)] if awaiting is Action.DELETE else []
        yield from _pages(sorted(due, key=lambda ref: (str(ref.dates[cutoff.by]), ref.key)))

    def undated(self, dates: Sequence[str]) -> Iterator[Sequence[RecordRef]]:
        """Requests that are not closed yet."""
        yield from _pages(ref for ref in self._refs() if all(ref.dates.get(name) is None for name in dates))

    def present(self, refs: Sequence[RecordRef]) -> list[Presence]:
        """Blocked where it is there."""
        there = {ref.key for ref in self._refs()}
        return [Presence.BLOCKED if ref.key in there else Presence.ABSENT for ref in refs]

    def explain(self, key: tuple[str, ...]) -> RecordRef | None:
        """The one of this id, or mark."""
        return next((ref for ref in self._refs() if ref.key == key), None)

    def _refs(self) -> list[RecordRef]:
        return [] if self._store is None else list(_refs(self._store, self._options))


class _OwnDeleter(Deleter):
    """Takes rows out of the store, each in a transaction of its own."""

    def __init__(self, settings: Settings, options: OwnDataset, target: Target) -> None:
        super().__init__(target)
        self._options = options
        self._open = ExitStack()
        self._store = self._open.enter_context(existing_store(settings))

    def close(self) -> None:
        """Give the store free."""
        self._open.close()

    def _delete(self, refs: Sequence[RecordRef]) -> list[Answer]:
        if self._options.kind == "deletion-log" or self._store is None:
            return [Answer.failed("unsupported") for _ in refs]
        return [_deleted(self._store, self._options, ref) for ref in refs]


class _OwnBlocker(Blocker):
    """Has nothing to do: what is kept here is out of reach of normal work from the beginning."""

    def _block(self, refs: Sequence[RecordRef]) -> list[Answer]:
        return [Answer.not_found() for _ in refs]


def _pages(refs: Iterable[RecordRef]) -> Iterator[Sequence[RecordRef]]:
    rest = iter(refs)
    while page := list(islice(rest, PAGE)):
        yield page


def _refs(store: Store, options: OwnDataset) -> Iterator[RecordRef]:
    match options.kind:
        case "deletion-log":
            return
        case "requests":
            for one in store.requests():
                told = (one.request, one.kind, one.state, one.received_at, one.decided_at, one.answered_at)
                yield _ref(options, one.request, closed_at(one), told, one.received_at)
        case "suppression-list":
            for mark, since in store.suppression_marks():
                yield _ref(options, mark, since, (mark, since), since)


def _ref(options: OwnDataset, key: str, moment: datetime | None, told: Sequence[object], born: datetime) -> RecordRef:
    fingerprint = hashlib.sha256(repr([str(part) for part in told]).encode()).hexdigest()
    return RecordRef((key,), {DATES[options.kind]: moment}, fingerprint, (key, born.isoformat()), blocked=True)


def _deleted(store: Store, options: OwnDataset, ref: RecordRef) -> Answer:
    now = next((one for one in _refs(store, options) if one.key == ref.key), None)
    if now is None:
        return Answer.not_found()
    if now.fingerprint != ref.fingerprint:
        return Answer.changed()
    if options.kind == "requests":
        gone = any(store.remove_request(one) for one in store.requests() if (one.request,) == ref.key)
    else:
        since = now.dates[DATES[options.kind]]
        gone = isinstance(since, datetime) and store.remove_suppression(ref.key[0], since)
    return Answer.done(How.ROWCOUNT) if gone else Answer.changed()
