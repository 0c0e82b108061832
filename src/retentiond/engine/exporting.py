"""What an auditor takes home: the signed log, and beside it the policies, the words of persons and the receipts of anchors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from retentiond.anchor import receipts
from retentiond.audit import Exported, LogReader, Verification, read_log, verifier_key, write_export
from retentiond.engine.anchoring import coverage_of
from retentiond.engine.evidence import log_place
from retentiond.errors import AuditError, ConfigurationError, StateError
from retentiond.settings import Settings
from retentiond.store import Store

WORDS = ("log-start", "policy", "approval", "hold", "key", "prune", "anchor", "restore")
"""The kinds of entries that say under which rules, by whose word and in which state of things it was acted."""


def export(
    settings: Settings,
    store: Store | None,
    told: Verification,
    folder: Path,
    now: datetime,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Exported:
    """Write the log to `folder`, which must not exist; of the entries themselves those from `since` until before `until`.

    `told` is how it verified. Raises `AuditError` where it did not, `StateError` where nothing was signed yet or the folder
    cannot be written, `ConfigurationError` where it exists or the period is none.
    """
    if told.problems:
        raise AuditError("The deletion log does not verify; nothing was exported.\n" + "\n".join(told.problems))
    if since is not None and until is not None and since >= until:
        raise ConfigurationError("The period ends before it begins; nothing was exported.")
    place = log_place(settings)
    with read_log(place) as log:
        period = None if since is None and until is None else _period(log, since, until)
        extra = {
            **_policies(settings.policies),
            "words.json": _json([_said(entry.index, entry.fields) for entry in log.entries() if entry.kind in WORDS]),
            "rules.json": _json(_rules(store)),
            "report.json": _json(_report(settings, told, now)),
            # Their bundles are gone: kept entries are shown by proofs of their own.
            **{f"proof/{index}.tlog-proof": log.proof(index).encode() for index in log.kept},
            **{f"anchor/{name}": body for name, body in receipts(settings.state).items()},
        }
        return write_export(folder, log, verifier_key(place), now, period, extra)


def _period(log: LogReader, since: datetime | None, until: datetime | None) -> range:
    """The indexes of the entries of a period: from the first that bears a moment within it to the last."""
    dated = ((entry.index, entry.at) for entry in log.entries() if entry.at is not None)
    within = [index for index, at in dated if (since is None or at >= since) and (until is None or at < until)]
    return range(within[0], within[-1] + 1) if within else range(0)


def _said(index: int, fields: Mapping[str, Any]) -> dict[str, Any]:
    return {"index": index, **fields}


def _policies(place: Path) -> dict[str, bytes]:
    """The policy files as they are now; the log tells by their digests which of them were in force when."""
    files = [place] if place.is_file() else sorted(place.glob("*.yaml"))
    try:
        return {f"policies/{file.name}": file.read_bytes() for file in files if not file.name.startswith(".")}
    except OSError as error:
        raise StateError(f"The policies in {place} cannot be read ({error.strerror}); nothing was exported.") from None


def _rules(store: Store | None) -> list[dict[str, Any]]:
    """Every version of a rule about which somebody gave a word: what the digests in the log stand for."""
    return [
        {"rule": one.rule, "digest": one.digest, "first_seen": f"{one.first_seen:%Y-%m-%dT%H:%M:%SZ}", "deciding": one.deciding}
        for one in (store.versions() if store else ())
    ]


def _report(settings: Settings, told: Verification, now: datetime) -> dict[str, Any]:
    covered = coverage_of(settings)
    return {
        "made": f"{now:%Y-%m-%dT%H:%M:%SZ}",
        "origin": settings.origin,
        "size": told.size,
        "root": told.root,
        "signed_size": told.signed_size,
        "unsigned_tail": told.unsigned_tail,
        "open_batches": told.open_batches,
        "pruned": told.pruned,
        "anchored_size": covered.covered,
        "unanchored_tail": told.size - covered.covered,
    }


def _json(value: object) -> bytes:
    return (json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, default=str) + "\n").encode()
