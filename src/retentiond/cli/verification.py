"""Verifies the deletion log, and does not take one that is gone for one that never was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from retentiond.audit import Verification, read_log, verify_log
from retentiond.engine.anchoring import anchor_problems
from retentiond.engine.evidence import Evidence, log_place
from retentiond.errors import AuditError
from retentiond.settings import Settings


def verified(
    settings: Settings, vkey: str | None = None, elsewhere: Sequence[Path] = (), shown: Sequence[Path] = (), *, full: bool = False
) -> Verification:
    """How the log verifies, against `vkey` where it is given, checkpoints kept `elsewhere`, and the receipts of its anchors.

    `shown` are receipts that somebody outside kept.

    Raises `StateError` where there is no log yet, and `AuditError` where there was one.
    """
    place = log_place(settings)
    if place.url is None and not (place.state / "log.db").exists() and place.last_signed.exists():
        raise AuditError(
            f"The deletion log is gone from {place.state}, although {place.last_signed} says that one was signed here. "
            f"Nothing runs until it is restored."
        )
    with read_log(place):
        pass  # says so in better words than a missing key would, where there is no log yet
    found = verify_log(place, vkey, elsewhere, full=full)
    if found.problems and not shown:
        return found
    return replace(found, problems=(*found.problems, *anchor_problems(settings, vkey, shown=shown)))


def never_begun(settings: Settings) -> bool:
    """True where it is plain that no approval and no run ever began a log."""
    place = log_place(settings)
    return place.url is None and not (place.state / "log.db").exists() and not place.last_signed.exists()


def refuse_untrustworthy(evidence: Evidence) -> None:
    """Raise `AuditError` with all problems where the open log does not verify."""
    problems = evidence.log.verify().problems
    if problems:
        raise AuditError("The deletion log does not verify; nothing was written to it.\n" + "\n".join(problems))
