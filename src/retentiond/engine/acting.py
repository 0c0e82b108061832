"""The three acting roles under one verb."""

from __future__ import annotations

from collections.abc import Sequence

from retentiond.connector.api import Anonymizer, Answer, Blocker, Deleter
from retentiond.connector.permit import Permit
from retentiond.connector.registry import BoundTarget
from retentiond.model.record import Action, RecordRef

Role = Deleter | Blocker | Anonymizer


def open_role(target: BoundTarget, action: Action) -> Role:
    """Open the role that does `action`; waits until no earlier session of ours acts on the target.

    Raises `ConnectorError` where the system cannot be reached and `ConfigurationError` where nobody fills the role.
    """
    match action:
        case Action.DELETE:
            return target.deleter()
        case Action.BLOCK | Action.UNBLOCK:
            return target.blocker()
        case Action.ANONYMIZE:
            return target.anonymizer()


def act(role: Role, action: Action, refs: Sequence[RecordRef], permit: Permit) -> list[Answer]:
    """Spend the permit and have the role do `action` to `refs`."""
    match role:
        case Deleter():
            return role.delete(refs, permit)
        case Blocker() if action is Action.UNBLOCK:
            return role.unblock(refs, permit)
        case Blocker():
            return role.block(refs, permit)
        case Anonymizer():
            return role.anonymize(refs, permit)
