"""A plan in a file: what a person looks at and approves. It names records by handle only, so it may be mailed around.

One JSON object a line: a head, then for each step its records and its figures, then a digest over all of it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import IO, Any

from retentiond.engine.planner import Handles, plan_digest
from retentiond.engine.planning import plan_rules
from retentiond.engine.registers import Registers
from retentiond.engine.values import DueRecord, Progress, StepPlan, StepResult
from retentiond.engine.workplace import Workplace
from retentiond.errors import ConfigurationError, StateError
from retentiond.model.record import Target

FORMAT = "retentiond-plan/1"


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """One step as a plan file tells it."""

    rule: str
    rule_digest: str
    system: str
    dataset: str
    action: str
    as_of: datetime
    digest: str
    counts: dict[str, int]
    first: int
    """Where its records begin in the file."""


def write_plan_file(
    path: Path,
    workplace: Workplace,
    registers: Registers,
    handles: Handles,
    now: datetime,
    *,
    only: Sequence[str] = (),
    progress: Callable[[Progress], None] = lambda _progress: None,
) -> tuple[StepResult, ...]:
    """Plan as `plan_rules` does, and keep the plan in a new file (mode 0600).

    The file appears under its name only when it is whole. Raises `StateError` where it cannot be written.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            results = _write(file, workplace, registers, handles, now, only, progress)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise StateError(
            f"The plan cannot be written to {path} ({error.strerror}). Name a place that can be written to."
        ) from None
    finally:
        part.unlink(missing_ok=True)
    return results


def _write(
    file: IO[str],
    workplace: Workplace,
    registers: Registers,
    handles: Handles,
    now: datetime,
    only: Sequence[str],
    progress: Callable[[Progress], None],
) -> tuple[StepResult, ...]:
    whole = hashlib.sha256()

    def line(value: dict[str, Any]) -> None:
        text = json.dumps(value, sort_keys=True, separators=(",", ":")) + "\n"
        whole.update(text.encode())
        file.write(text)

    def keep(step: Target, records: Sequence[DueRecord]) -> None:
        for name in handles.named(step, [record.ref for record in records]):
            line({"f": _text(name[32:]), "r": _text(name[:32])})

    line({"as_of": now.isoformat(), "format": FORMAT, "origin": workplace.settings.origin})
    results: list[StepResult] = []
    for assignment in workplace.at(now).chosen(only):
        results += plan_rules(
            workplace,
            registers,
            handles,
            now,
            only=[assignment.rule.id],
            keep=partial(keep, assignment.target.target),
            planned=lambda plan: line(_figures(plan)),
            progress=progress,
        )
    file.write(json.dumps({"sha256": whole.hexdigest()}) + "\n")
    return tuple(results)


def _figures(plan: StepPlan) -> dict[str, Any]:
    return {
        "action": plan.action.value,
        "as_of": plan.as_of.isoformat(),
        "counts": plan.counts,
        "dataset": plan.target.dataset,
        "digest": plan.digest,
        "rule": plan.rule,
        "rule_digest": plan.rule_digest,
        "system": plan.target.system,
    }


class PlanFile:
    """A plan file that was read through once and found whole."""

    def __init__(self, file: IO[str], headers: Sequence[PlannedStep]) -> None:
        self._file = file
        self.headers = tuple(headers)
        """The steps, in the order of the file."""

    def records(self, number: int) -> Iterator[tuple[bytes, bytes]]:
        """Handle and fingerprint of each record of the step at `number`."""
        self._file.seek(self.headers[number].first)
        for text in iter(self._file.readline, ""):
            row = json.loads(text)
            if "r" not in row:
                return
            yield _bytes(row["r"]), _bytes(row["f"])


@contextmanager
def open_plan_file(path: Path) -> Iterator[PlanFile]:
    """Open a plan file; raise `ConfigurationError` where it is not one, or was cut or changed."""
    try:
        file = path.open(encoding="ascii")
    except OSError as error:
        raise ConfigurationError(f"{path}: the plan cannot be read ({error.strerror}).") from None
    with file:
        try:
            headers = _headers(file)
        except OSError as error:
            raise ConfigurationError(f"{path}: the plan cannot be read ({error.strerror}).") from None
        except (ValueError, KeyError, TypeError):
            raise ConfigurationError(
                f"{path}: this is no plan, or it was cut or changed. Make it anew with `retentiond plan -o`."
            ) from None
        yield PlanFile(file, headers)


def _headers(file: IO[str]) -> list[PlannedStep]:
    whole = hashlib.sha256()
    headers: list[PlannedStep] = []
    head = file.readline()
    if json.loads(head)["format"] != FORMAT:
        raise ValueError
    whole.update(head.encode())
    first, records = file.tell(), hashlib.sha256()
    for text in iter(file.readline, ""):
        row = json.loads(text)
        if "sha256" in row:
            if row["sha256"] != whole.hexdigest() or file.readline():
                raise ValueError
            return headers
        whole.update(text.encode())
        if "r" in row:
            records.update(_bytes(row["r"]) + _bytes(row["f"]))
            continue
        step = _step(row, first)
        if step.digest != plan_digest(step.rule_digest, step.action, Target(step.system, step.dataset), records):
            raise ValueError
        headers.append(step)
        first, records = file.tell(), hashlib.sha256()
    raise ValueError


def _step(row: dict[str, Any], first: int) -> PlannedStep:
    return PlannedStep(
        rule=row["rule"],
        rule_digest=row["rule_digest"],
        system=row["system"],
        dataset=row["dataset"],
        action=row["action"],
        as_of=datetime.fromisoformat(row["as_of"]).astimezone(UTC),
        digest=row["digest"],
        counts=row["counts"],
        first=first,
    )


def _text(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
