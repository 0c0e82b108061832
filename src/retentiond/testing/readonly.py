"""A connector that refuses every write, by which it is proven that a dry run does not even try one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NoReturn

from retentiond.connector import Anonymizer, Answer, Blocker, Connector, ConnectorError, Deleter, RecordRef
from retentiond.testing.memory import MemoryStore, memory_connector


class WriteAttemptedError(AssertionError):
    """Somebody asked a connector to act that must not be asked. No error of retentiond's tree, so that nobody deals with it."""


def write_refusing_connector(store: MemoryStore, *, name: str = "memory") -> Connector:
    """The connector in memory, offering every action; opening a role works, acting raises `WriteAttemptedError`.

    What it cannot see is a reader that writes; that is what the kit's promise `a_reader_cannot_write` is for.
    """
    return replace(
        memory_connector(store, name=name),
        deleter=lambda _connection, _options, target: _RefusingDeleter(target),
        blocker=lambda _connection, _options, target: _RefusingBlocker(target),
        anonymizer=lambda _connection, _options, target: _RefusingAnonymizer(target),
    )


def forbidden_connector(store: MemoryStore, *, name: str = "memory") -> Connector:
    """The connector in memory as of a system that lets nobody act: opening any acting role raises `ConnectorError`."""

    def forbid(*_: object) -> NoReturn:
        raise ConnectorError("The store in memory grants no right to act; it was told so.", "forbidden")

    return replace(memory_connector(store, name=name), deleter=forbid, blocker=forbid, anonymizer=forbid)


class _RefusingDeleter(Deleter):
    def _delete(self, refs: Sequence[RecordRef]) -> list[Answer]:
        raise WriteAttemptedError(f"{len(refs)} records of {self.target} were to be deleted")


class _RefusingBlocker(Blocker):
    def _block(self, refs: Sequence[RecordRef]) -> list[Answer]:
        raise WriteAttemptedError(f"{len(refs)} records of {self.target} were to be blocked")

    def _unblock(self, refs: Sequence[RecordRef]) -> list[Answer]:
        raise WriteAttemptedError(f"{len(refs)} records of {self.target} were to be unblocked")


class _RefusingAnonymizer(Anonymizer):
    def _anonymize(self, refs: Sequence[RecordRef]) -> list[Answer]:
        raise WriteAttemptedError(f"{len(refs)} records of {self.target} were to be anonymized")
