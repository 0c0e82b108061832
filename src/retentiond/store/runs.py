"""Runs, and what each step of each rule did in them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from retentiond.errors import StateError
from retentiond.store.part import Part
from retentiond.store.tables import runs, steps
from retentiond.store.values import RunRow, StepRow

ENFORCED = ("done", "incomplete", "interrupted")
"""The endings of a step that was allowed to act; what it did then says what is usual."""


class Runs(Part):
    """The part of the store that knows what ran."""

    def begin_run(self, run: str, trigger: str, policy_digest: str, now: datetime) -> None:
        """Remember that `run` began at `now`; it counts as running until `end_run`."""
        with self._transaction() as connection:
            connection.execute(
                sa.insert(runs).values(run=run, trigger=trigger, policy_digest=policy_digest, started_at=now, counts={})
            )

    def end_run(self, run: str, status: str, counts: Mapping[str, int], now: datetime) -> None:
        """Remember how `run` ended. Raises `StateError` where no such run is under way."""
        with self._transaction() as connection:
            ended = connection.execute(
                sa.update(runs)
                .where(runs.c.run == run, runs.c.ended_at.is_(None))
                .values(status=status, counts=dict(counts), ended_at=now)
            )
            if ended.rowcount != 1:
                raise StateError(
                    f"The state database knows no run {run} that is under way; was it restored or exchanged meanwhile?"
                )

    def close_abandoned_runs(self, now: datetime) -> int:
        """Close every run that never ended, as interrupted; how many those were. Call only where no run can be under way."""
        with self._transaction() as connection:
            return connection.execute(
                sa.update(runs).where(runs.c.ended_at.is_(None)).values(status="interrupted", ended_at=now)
            ).rowcount

    def runs(self, limit: int = 20) -> list[RunRow]:
        """The latest runs, newest first, the one under way included."""
        return self._runs(sa.select(runs).order_by(runs.c.id.desc()).limit(limit))

    def last_run(self) -> RunRow | None:
        """The newest run, under way or not; None where none ever began."""
        return next(iter(self.runs(1)), None)

    def last_success(self) -> RunRow | None:
        """The newest run that did everything it should; None where none ever did."""
        wanted = sa.select(runs).where(runs.c.status == "done").order_by(runs.c.id.desc()).limit(1)
        return next(iter(self._runs(wanted)), None)

    def record_result(self, run: str, step: StepRow, now: datetime) -> None:
        """Remember what one step of `run` did."""
        with self._transaction() as connection:
            connection.execute(
                sa.insert(steps).values(
                    run=run,
                    at=now,
                    rule=step.rule,
                    rule_digest=step.rule_digest,
                    system=step.system,
                    dataset=step.dataset,
                    action=step.action,
                    status=step.status,
                    population=step.population,
                    due=step.due,
                    done=step.done,
                    failed=step.failed,
                    kept=step.kept,
                    undatable=step.undatable,
                    reason=step.reason,
                )
            )

    def results(self, run: str) -> list[StepRow]:
        """What each step of `run` did, in the order they ran; empty for an unknown run."""
        with self._transaction() as connection:
            rows = connection.execute(sa.select(steps).where(steps.c.run == run).order_by(steps.c.id)).mappings().all()
        return [_step(row) for row in rows]

    def history(self, rule: str, action: str, limit: int = 10) -> list[int]:
        """How many records this step changed in the latest runs in which it was allowed to act, newest first.

        Runs that only reported, were refused or could not read the system say nothing about what is usual.
        """
        wanted = (
            sa.select(steps.c.done)
            .where(steps.c.rule == rule, steps.c.action == action, steps.c.status.in_(ENFORCED) | (steps.c.done > 0))
            .order_by(steps.c.id.desc())
            .limit(limit)
        )
        with self._transaction() as connection:
            return list(connection.execute(wanted).scalars())

    def last_whole(self, rule: str, rule_digest: str, action: str) -> tuple[StepRow, datetime] | None:
        """What this step did when it last did all that was due by this version of the rule, and when that run began (UTC)."""
        wanted = (
            sa.select(steps, runs.c.started_at)
            .join(runs, runs.c.run == steps.c.run)
            .where(steps.c.rule == rule, steps.c.rule_digest == rule_digest, steps.c.action == action, steps.c.status == "done")
            .order_by(steps.c.id.desc())
            .limit(1)
        )
        with self._transaction() as connection:
            row = connection.execute(wanted).mappings().first()
        return None if row is None else (_step(row), row["started_at"])

    def _runs(self, wanted: sa.Select[Any]) -> list[RunRow]:
        with self._transaction() as connection:
            rows = connection.execute(wanted).mappings().all()
        return [
            RunRow(
                run=row["run"],
                trigger=row["trigger"],
                policy_digest=row["policy_digest"],
                started_at=row["started_at"],
                ended_at=row["ended_at"],
                status=row["status"],
                counts=row["counts"],
            )
            for row in rows
        ]


def _step(row: sa.RowMapping) -> StepRow:
    return StepRow(**{name: row[name] for name in StepRow.__dataclass_fields__})
